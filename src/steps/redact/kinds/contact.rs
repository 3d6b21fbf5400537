//! How a person is reached, and when they were born.

use crate::steps::redact::checks::{digits, is_day, is_one_digit, is_run, is_time, part};
use crate::steps::redact::kind::Profile::{Default, Eu, Pii, Us};
use crate::steps::redact::kind::{Edge, Kind, Shape};

pub const KINDS: &[Kind] = &[
    Kind {
        name: "email",
        label: "EMAIL",
        says: "an e-mail address",
        profiles: &[Default, Pii, Eu, Us],
        near: &[],
        unless: &[],
        shapes: &[Shape::new(
            r"[A-Za-z0-9](?:[A-Za-z0-9._+'-]|%2[Bb]|%[A-Za-z0135-9._+'-]){0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,18}",
        )
        .edge(Edge::Address)
        .needs(b'@')
        .check(email),
        // As it stands in the query of a URL.
        Shape::new(
            r"[A-Za-z0-9](?:[A-Za-z0-9._+'-]|%2[Bb]){0,63}%40(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,18}",
        )
        .edge(Edge::Address)
        .needs(b'%')
        .check(|text| email(&text.replace("%40", "@")))],
        examples: &[
            "write to «jo.doe+news@mail.example.co.uk».",
            "<«a@b.io»>",
            "mailto:«info@presidio.site»?subject=x",
            "_«x@example.com»_",
            "?to=«jo.doe%40example.com»&x=1",
            r#"{\"note\": \"line\n«jo@example.com»\"}"#,
            r"\u003c«jo@example.com»\u003e",
        ],
        counters: &["git clone git@github.com:owner/repo.git", "icon@2x.png", "npm i left@1.2.3", "me@localhost", "a@b", "100%40.5em"],
    },
    Kind {
        name: "phone",
        label: "PHONE",
        says: "a telephone number with `+`, in a national form, or after a word such as `phone`",
        profiles: &[Default, Pii, Eu, Us],
        near: &[
            "phone", "telephone", "tel", "mobile", "cell", "cellphone", "call", "fax", "whatsapp", "sms", "text", "dial",
            "hotline", "reach", "contact", "telefon", "telefonnummer", "handy", "handynummer", "mobil", "rufnummer",
            "téléphone", "tél", "portable", "appelez", "teléfono", "móvil", "celular", "llame", "telefono", "cellulare",
            "telefone", "telemóvel", "telefoon", "mobiel", "puhelin", "puh", "tlf", "電話", "电话", "手机", "전화", "phone number",
        ],
        unless: &["version", "order", "invoice", "serial", "build", "isbn", "part", "sku", "ticket", "ref", "id"],
        shapes: &[
            Shape::number(r"\+[1-9](?:[ ./()-]{0,2}\d){7,14}(?:(?: ?x| ext\.? ?)\d{1,5})?")
                .check(international)
                .sure(80, 95),
            Shape::number(r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?:(?: ?x| ext\.? ?)\d{1,5})?").check(american).sure(75, 95),
            Shape::lone(r"(?:1[ .-])?\(?\d{3}\)?[ .]{1,2}\d{3}[ .-]\d{4}(?:(?: ?x| ext\.? ?)\d{1,5})?").check(american).sure(55, 95),
            Shape::lone(r"0[1-79](?:[ .-]\d{2}){4}").check(paired).sure(70, 95),
            Shape::lone(r"07\d{3}[ -]\d{3}[ -]?\d{3}").sure(55, 95),
            Shape::lone(r"04\d{2}[ -]\d{3}[ -]\d{3}").sure(70, 95),
            Shape::number(r"01[5-7]\d[ /-]\d{6,8}").sure(70, 95),
            Shape::lone(r"(?:0[1-9]\d{0,3}|\(0[1-9]\d{0,4}\))[ /-]\d{3,4}[ -]\d{3,4}").check(grouped).sure(55, 95),
            Shape::number(r"\(0[1-9]\d{1,4}\) ?\d{4,8}").sure(60, 95),
            Shape::number(r"0[1-9]\d{2,4}/\d{4,8}").sure(60, 95),
            Shape::number(r"0[2-9]-\d{7}").sure(55, 95),
            Shape::number(r"0\d{1,2}-\d{3,4}-\d{4}").sure(65, 95),
            Shape::lone(r"[6-9]\d{4} \d{5}").sure(52, 95),
            Shape::number(r"\(?[1-9]{2}\)? ?9\d{4}-\d{4}").sure(60, 95),
            Shape::number(r"\(?\d(?:[ ./()-]{0,2}\d){6,11}(?:(?: ?x| ext\.? ?)\d{1,5})?").check(some_phone).in_context(),
            Shape::number(r"00[1-9]\d{0,2}[ .-]\d(?:[ ./()-]{0,2}\d){5,12}").check(zeroed).sure(60, 95),
        ],
        examples: &[
            "«+1 415 555 0132»", "at «(415) 555-0132».", "«415-555-0132»", "«415.555.0132»", "«+49 (0) 30 901820»",
            "«+44 20 7946 0958»", "«+442079460958»", "«06 12 34 56 78»", "«07700 900123»", "phone: «030 901820»",
            "my mobile is «5550132999»", "«0171 1234567»", "«+55 11 98456-5666»", "«0049 30 901820»", "«1-800-555-0199»",
        ],
        counters: &[
            "2024-03-15 10:15:30", "v1.2.3.4", "550e8400-e29b-41d4-a716-446655440000", "3.14159265358979", "1700000000",
            "order 5550132999", "192.168.100.200", "123-45-6789", "call 2024-03-15", "100 000 000", "page 12-34",
            "0395 0313 0300", "0061 0315 0300", "01 02 03 04 05", "12 06 12 34 56 78", "IORING_OFF_SQ_RING = 134217728",
        ],
    },
    Kind {
        name: "birth_date",
        label: "BIRTH_DATE",
        says: "a date after a word of birth",
        profiles: &[Pii],
        near: &[
            "born", "birth", "birthday", "birthdate", "dob", "geboren", "geb", "geburtsdatum", "geburtstag", "naissance", "né",
            "née", "nacimiento", "nacido", "nacida", "nascita", "nato", "nata", "nascimento", "geboortedatum", "urodzenia",
        ],
        unless: &[],
        shapes: &[
            Shape::number(r"\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})").check(day_and_month).in_context(),
            Shape::number(r"(?:19|20)\d{2}[/.-]\d{1,2}[/.-]\d{1,2}").check(year_first).in_context(),
            Shape::number(
                r"\d{1,2}(?:st|nd|rd|th|\.)? (?:of )?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|juni|juli|okt|dez|enero|mars|juin|ago)[a-z]{0,7}\.?,? (?:19|20)\d{2}",
            )
            .in_context(),
            Shape::number(r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2}")
                .in_context(),
        ],
        examples: &["DOB: «12/03/1985»", "born on «March 3, 1985»", "geboren am «3.12.1985»", "\"birthDate\": \"«1985-12-03»\""],
        counters: &["released 12/03/1985", "born in 1985", "dob 45/45/1985"],
    },
];

/// Endings of files and of code, which are no top-level domains or are hardly ever meant as such.
const NO_DOMAIN: [&str; 34] = [
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "css",
    "js",
    "mjs",
    "ts",
    "tsx",
    "jsx",
    "json",
    "yaml",
    "yml",
    "toml",
    "html",
    "htm",
    "xml",
    "txt",
    "md",
    "py",
    "rs",
    "go",
    "java",
    "class",
    "lock",
    "beta",
    "alpha",
    "rc",
    "local",
    "localdomain",
    "internal",
    "service",
];

fn email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    let is_tidy = !name.contains("..") && !name.ends_with('.');
    is_tidy && name != "git" && !NO_DOMAIN.contains(&top.to_ascii_lowercase().as_str())
}

/// Country calling codes of the ITU by their first digits, of one or two digits where those settle it.
fn international(text: &str) -> bool {
    let (number, _) = split_extension(text);
    let all = digits(number);
    let known = match (part(&all, 0, 1), part(&all, 0, 2)) {
        (1, _) => return all.len() == 11 && part(&all, 1, 2) >= 2,
        (7, _)
        | (_, 20 | 27 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 | 81 | 82 | 84 | 86 | 90..=95 | 98) => {
            true
        }
        (_, 21..=26 | 29 | 35 | 37 | 38 | 42 | 50 | 59 | 67..=69 | 85 | 88 | 96 | 97 | 99) => true,
        _ => false,
    };
    known && (8..=15).contains(&all.len()) && !is_one_digit(&all) && !number.contains("//") && balanced(number)
}

/// A row of numbers of four digits, or of numbers that begin with zeros, is none.
fn zeroed(text: &str) -> bool {
    let groups: Vec<&str> = text.split([' ', '.', '-']).collect();
    let is_row = groups.len() > 1 && groups.iter().all(|group| group.len() == 4);
    let zeros = groups.iter().skip(1).filter(|group| group.starts_with('0')).count();
    !is_row && zeros < 2 && text.strip_prefix("00").is_some_and(international)
}

/// North American numbering plan: area and exchange begin with 2 to 9, and neither ends with `11`.
fn american(text: &str) -> bool {
    let (number, _) = split_extension(text);
    let all = digits(number);
    let all = if all.len() == 11 { all.get(1..).unwrap_or_default() } else { all.as_slice() };
    let (area, exchange) = (part(all, 0, 3), part(all, 3, 6));
    let is_code = |code: u32| (200..1000).contains(&code) && code % 100 != 11;
    all.len() == 10 && is_code(area) && is_code(exchange) && area / 10 != 37 && area / 10 != 96 && balanced(number)
}

fn split_extension(text: &str) -> (&str, &str) {
    text.find('x').or_else(|| text.find(" e")).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

fn balanced(text: &str) -> bool {
    text.matches('(').count() == text.matches(')').count()
}

pub fn same_separators(text: &str) -> bool {
    let mut separators = text.chars().filter(|c| !c.is_ascii_digit());
    let first = separators.next();
    separators.all(|c| Some(c) == first)
}

/// Pairs that do not count up, as the bytes of a table do.
fn paired(text: &str) -> bool {
    let all = digits(text);
    let pairs: Vec<u32> = all.chunks(2).map(|pair| part(pair, 0, 2)).collect();
    same_separators(text) && !pairs.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b))
}

/// Nine to eleven digits, in groups of different lengths: three of four are codes of characters.
fn grouped(text: &str) -> bool {
    let lengths: Vec<usize> = text.split([' ', '/', '-']).map(str::len).collect();
    (9..=11).contains(&digits(text).len()) && lengths != [4, 4, 4] && balanced(text)
}

/// What may be a telephone number where the words before it say so.
fn some_phone(text: &str) -> bool {
    let (number, _) = split_extension(text);
    let all = digits(number);
    let is_grouped_thousands =
        number.split([' ', '.']).skip(1).all(|group| group.len() == 3) && !number.starts_with('0');
    let is_thousands = is_grouped_thousands && number.contains([' ', '.']) && number.split([' ', '.']).count() != 3;
    (7..=12).contains(&all.len())
        && balanced(number)
        && !is_time(number)
        && !is_dated(number)
        && !is_thousands
        && !is_dotted(number)
        && !is_one_digit(&all)
        && !is_social(number)
}

/// `YYYY-MM-DD` and the like, and what is longer and begins so.
fn is_dated(text: &str) -> bool {
    let head = text.get(..10).unwrap_or(text);
    year_first(head) || (head.len() == 10 && day_and_month(head))
}

/// Four numbers with dots between them.
fn is_dotted(text: &str) -> bool {
    text.split('.').count() == 4
}

/// `ddd-dd-dddd`.
fn is_social(text: &str) -> bool {
    text.split('-').map(str::len).eq([3, 2, 4])
}

fn day_and_month(text: &str) -> bool {
    let parts: Vec<u32> = text.split(['/', '.', '-']).filter_map(|part| part.parse().ok()).collect();
    let [a, b, year] = parts.as_slice() else { return false };
    let year = if *year < 100 { 1900 + year } else { *year };
    (1900..2100).contains(&year) && (is_day(year, *a, *b) || is_day(year, *b, *a)) && same_separators(text)
}

fn year_first(text: &str) -> bool {
    let parts: Vec<u32> = text.split(['/', '.', '-']).filter_map(|part| part.parse().ok()).collect();
    matches!(parts.as_slice(), [year, month, day] if (1900..2100).contains(year) && is_day(*year, *month, *day))
}

/// Digits that nobody was given: all the same, or counting.
pub fn is_made_up(text: &str) -> bool {
    let digits = digits(text);
    is_one_digit(&digits) || is_run(&digits)
}

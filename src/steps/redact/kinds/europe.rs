//! Numbers that the states of Europe give to people.

use crate::steps::redact::checks::{
    compact, digits, is_day, is_one_digit, is_time, luhn, mod11_10, nth, number, part, weighted,
};
use crate::steps::redact::kind::Profile::{Eu, Pii};
use crate::steps::redact::kind::{Kind, Shape};
use crate::steps::redact::kinds::national;

pub const KINDS: &[Kind] = &european([
    national("uk_nhs", "NHS", "a UK health service number with its check digit, after a word that names it",
        &["nhs", "national health", "health service", "patient"],
        &[Shape::number(r"\d{3}[ -]?\d{3}[ -]?\d{4}").check(nhs).in_context()],
        &["NHS number: «943 476 5919»", "\"nhsNumber\": \"«9434765919»\""], &["9434765919", "nhs 9434765918"]),
    national("uk_nino", "NINO", "a UK national insurance number",
        &["nino", "national insurance", "ni number", "insurance"],
        &[
            Shape::number(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d{2} \d{2} \d{2} [A-D]").check(nino),
            Shape::number(r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]) ?\d{2} ?\d{2} ?\d{2} ?(?i:[A-D])").check(nino).sure(60, 95),
        ],
        &["«AB 12 34 56 C»", "NI number «AB123456C»"], &["BG 12 34 56 C", "AB 12 34 56 E"]),
    national("uk_utr", "UTR", "a UK taxpayer reference with its check digit, after a word that names it",
        &["utr", "unique taxpayer", "taxpayer reference", "self assessment"],
        &[Shape::number(r"\d{5} ?\d{5}").check(utr).in_context()],
        &["UTR «1955839661»"], &["1955839661", "UTR 2955839661"]),
    national("de_tax_id", "STEUER_ID", "a German tax number with its check digit, after a word that names it",
        &["steuer", "steuerid", "steuernummer", "idnr", "identifikationsnummer", "steueridentifikationsnummer", "tin", "tax id", "tax", "id nr"],
        &[Shape::number(r"[1-9]\d(?: ?\d{3}){3}").check(steuer_id).in_context()],
        &["Steuer-ID: «86095742719»", "IdNr. «86 095 742 719»"], &["86095742719", "Steuer-ID 86095742718"]),
    national("de_id_card", "PERSONALAUSWEIS", "a German identity card's number after a word that names it",
        &["personalausweis", "ausweis", "ausweisnummer", "identity card", "id card"],
        &[Shape::new(r"[CFGHJKLMNPRTVWXYZ0-9]{9}\d?").check(german_document).in_context()],
        &["Personalausweis «L01X00T471»"], &["L01X00T471"]),
    national("de_social", "SOZIALVERSICHERUNG", "a German pension insurance number after a word that names it",
        &["sozialversicherung", "sozialversicherungsnummer", "rentenversicherung", "rentenversicherungsnummer", "svnr", "rvnr", "sv"],
        &[Shape::new(r"\d{2} ?\d{6} ?[A-Z] ?\d{3}").check(german_pension).in_context()],
        &["Rentenversicherungsnummer «15 070649 C103»"], &["15 070649 C103"]),
    national("fr_nir", "NIR", "a French social security number with its key",
        &["nir", "sécurité sociale", "insee", "numéro de sécu", "sécu"],
        &[
            Shape::number(r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-4]\d|[5-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}").check(nir),
        ],
        &["«2 55 08 14 168 025 38»", "«255081416802538»"], &["255081416802539"]),
    national("es_nif", "NIF", "a Spanish identity number with its check letter, of citizens or foreigners",
        &["nif", "dni", "nie"],
        &[
            Shape::number(r"\d{7,8}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]").check(nif).sure(60, 95),
            Shape::number(r"[XYZxyz][ -]?\d{7}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]").check(nif).sure(70, 95),
        ],
        &["«12345678Z»", "NIE «X1234567L»", "DNI: «12345678-Z»"], &["12345678A", "X1234567M"]),
    national("it_fiscal_code", "CODICE_FISCALE", "an Italian fiscal code with its check letter",
        &["codice fiscale", "cf", "fiscale"],
        &[Shape::new(r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])").check(fiscal_code)],
        &["«RSSMRA85T10A562S»"], &["RSSMRA85T10A562T"]),
    national("it_vat", "PARTITA_IVA", "an Italian VAT number with its check digit, after a word that names it",
        &["partita iva", "iva", "p iva", "piva", "vat"],
        &[Shape::number(r"\d{11}").check(luhn).in_context()],
        &["Partita IVA «00743110157»"], &["00743110157"]),
    national("pl_pesel", "PESEL", "a Polish citizen's number with its check digit, after a word that names it",
        &["pesel"],
        &[Shape::number(r"\d{11}").check(pesel).in_context()],
        &["PESEL: «44051401359»"], &["44051401359", "PESEL 44051401358"]),
    national("pl_nip", "NIP", "a Polish tax number with its check digit, after a word that names it",
        &["nip"],
        &[Shape::number(r"\d{10}|\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3}").check(nip).in_context()],
        &["NIP «123-456-32-18»"], &["123-456-32-18"]),
    national("nl_bsn", "BSN", "a Dutch citizen's number that passes the test of eleven, after a word that names it",
        &["bsn", "burgerservicenummer", "sofi", "sofinummer"],
        &[Shape::number(r"\d{8,9}|\d{3}[ .]\d{3}[ .]\d{3}|\d{4}[ .]\d{2}[ .]\d{3}").check(bsn).in_context()],
        &["BSN: «111222333»"], &["111222333", "BSN 111222334"]),
    national("be_national", "RIJKSREGISTER", "a Belgian national register number with its check digits: in its own form, or after a word that names it",
        &["rijksregister", "rijksregisternummer", "insz", "niss", "registre national"],
        &[Shape::number(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}").check(belgian), Shape::number(r"\d{11}").check(belgian).in_context()],
        &["«85.07.30-033.28»", "NISS «85073003328»"], &["85.07.30-033.29", "85073003328"]),
    national("se_personnummer", "PERSONNUMMER", "a Swedish identity number: a date and a check digit",
        &["personnummer", "samordningsnummer", "personnr", "pnr", "identity number"],
        &[
            Shape::number(r"(?:19|20)?\d{6}[-+]\d{4}").check(swedish).sure(80, 95),
            Shape::number(r"(?:19|20)?\d{10}").check(swedish).in_context(),
        ],
        &["«811218-9876»", "personnummer «198112189876»"], &["811218-9875", "8112189876"]),
    national("fi_hetu", "HETU", "a Finnish identity code: a date and a check character",
        &["hetu", "henkilötunnus"],
        &[Shape::new(r"\d{6}[-+A-FU-Ya-fu-y]\d{3}[0-9A-FHJ-NPR-Ya-fhj-npr-y]").check(hetu)],
        &["«131052-308T»", "«131052A308T»"], &["131052-308U", "331052-308T"]),
    national("dk_cpr", "CPR", "a Danish civil registration number after a word that names it",
        &["cpr", "personnummer", "cpr nummer"],
        &[Shape::number(r"\d{6}-?\d{4}").check(|text| { let all = digits(text); is_day(2000, part(&all, 2, 4), part(&all, 0, 2)) }).in_context()],
        &["CPR «070761-4285»"], &["070761-4285"]),
    national("no_fnr", "FODSELSNUMMER", "a Norwegian birth number with both check digits",
        &["fødselsnummer", "fnr", "personnummer"],
        &[Shape::number(r"\d{6} ?\d{5}").check(norwegian).sure(55, 95)],
        &["fnr «01017010170»"], &["01017010171"]),
    national("ch_ahv", "AHV", "a Swiss social insurance number with its check digit",
        &["ahv", "avs", "oasi"],
        &[Shape::number(r"756\.\d{4}\.\d{4}\.\d{2}").check(ean13), Shape::number(r"756\d{10}").check(ean13).sure(60, 95)],
        &["«756.9217.0769.85»"], &["756.9217.0769.86"]),
    national("pt_nif", "CONTRIBUINTE", "a Portuguese tax number with its check digit, after a word that names it",
        &["nif", "contribuinte", "nipc"],
        &[Shape::number(r"[1-35689]\d{8}|[1-35689]\d{2} \d{3} \d{3}").check(portuguese).in_context()],
        &["NIF: «123456789»"], &["123456789"]),
    national("ie_pps", "PPS", "an Irish public service number with its check letter",
        &["pps", "ppsn", "personal public service"],
        &[Shape::new(r"\d{7}[A-W][A-IW]?").check(pps).sure(55, 95)],
        &["PPSN «1234567T»"], &["1234567U"]),
    national("cz_birth_number", "RODNE_CISLO", "a Czech or Slovak birth number: a date that 11 divides",
        &["rodné číslo", "rodné", "rč"],
        &[Shape::number(r"\d{6}/\d{4}").check(czech).sure(65, 95), Shape::number(r"\d{10}").check(czech).in_context()],
        &["«780123/3539»"], &["780123/3540"]),
    national("ro_cnp", "CNP", "a Romanian personal number with its check digit, after a word that names it",
        &["cnp", "cod numeric personal"],
        &[Shape::number(r"[1-9]\d{12}").check(romanian).in_context()],
        &["CNP «1800101221144»"], &["1800101221144"]),
    national("tr_tckn", "TCKN", "a Turkish identity number with its check digits, after a word that names it",
        &["tckn", "kimlik", "tc", "kimlik numarası"],
        &[Shape::number(r"[1-9]\d{10}").check(turkish).in_context()],
        &["TC kimlik «10000000146»"], &["10000000146"]),
    national("eu_vat", "VAT", "a VAT number with its country's letters, after a word that names it",
        &["vat", "ust", "ustid", "umsatzsteuer", "tva", "btw", "iva", "vat number", "mwst"],
        &[Shape::new(r"(?:ATU|BE[01]|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK) ?[0-9A-Z]{7,12}").check(|text| digits(text).len() > 6).in_context()],
        &["VAT: «DE136695976»", "USt-IdNr. «ATU12345678»"], &["DE136695976"]),
]);

/// The profiles of Europe for kinds that have only the general one.
const fn european<const COUNT: usize>(mut kinds: [Kind; COUNT]) -> [Kind; COUNT] {
    let mut at = 0;
    while at < COUNT {
        #[expect(clippy::indexing_slicing, reason = "the loop is bounded by the length")]
        let kind = &mut kinds[at];
        kind.profiles = &[Pii, Eu];
        at += 1;
    }
    kinds
}

fn nhs(text: &str) -> bool {
    let all = digits(text);
    let check = (11 - weighted(&all, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    all.len() == 10 && check == nth(&all, 9) && !is_one_digit(&all)
}

fn nino(text: &str) -> bool {
    let text = compact(text);
    !["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"].iter().any(|prefix| text.starts_with(prefix)) && text.len() == 9
}

/// HMRC: the first digit checks the other nine.
fn utr(text: &str) -> bool {
    let all = digits(text);
    let rest = weighted(all.get(1..).unwrap_or_default(), &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    let check = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    all.len() == 10 && check.get(rest as usize) == all.first()
}

/// Among the first ten digits one stands twice or three times.
fn steuer_id(text: &str) -> bool {
    let all = digits(text);
    let count = |wanted: u32| all.iter().take(10).filter(|digit| **digit == wanted).count();
    let most = (0..10).map(count).max().unwrap_or_default();
    all.len() == 11 && (most == 2 || most == 3) && mod11_10(&all)
}

/// ICAO 9303: weights 7, 3, 1, letters from 10.
fn german_document(text: &str) -> bool {
    let values: Vec<u32> = text.chars().filter_map(|c| c.to_digit(36)).collect();
    let has_digit = text.bytes().any(|c| c.is_ascii_digit());
    has_digit && (values.len() == 9 || weighted(&values, &[7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == nth(&values, 9))
}

fn german_pension(text: &str) -> bool {
    let values: String = compact(text)
        .chars()
        .map(|c| {
            c.to_digit(36).map_or(String::new(), |value| match value {
                10.. => format!("{:02}", value - 9),
                digit => digit.to_string(),
            })
        })
        .collect();
    let all = digits(&values);
    let sum: u32 = all
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| {
            let product = digit * weight;
            product / 10 + product % 10
        })
        .sum();
    all.len() == 13 && sum % 10 == nth(&all, 12)
}

/// 97 less the rest of the first thirteen digits; Corsica's departments count as 19 and 18.
fn nir(text: &str) -> bool {
    let text = compact(text).replace("2A", "19").replace("2B", "18");
    let all = digits(&text);
    let key = 97 - number(all.get(..13).unwrap_or_default()) % 97;
    all.len() == 15 && key == u64::from(part(&all, 13, 15))
}

fn nif(text: &str) -> bool {
    let text = compact(text);
    let plain = match text.get(..1) {
        Some("X") => text.replacen('X', "0", 1),
        Some("Y") => text.replacen('Y', "1", 1),
        Some("Z") => text.replacen('Z', "2", 1),
        _ => text,
    };
    let rest = usize::try_from(number(&digits(&plain)) % 23).unwrap_or_default();
    "TRWAGMYFPDXBNJZSQVHLCKE".get(rest..=rest).is_some_and(|letter| plain.ends_with(letter))
}

fn fiscal_code(text: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let values: Vec<u32> =
        text.chars().filter_map(|c| c.to_digit(36)).map(|value| if value > 9 { value - 10 } else { value }).collect();
    let odd = |value: u32| ODD.get(value as usize).copied().unwrap_or_default();
    let sum: u32 =
        values.iter().take(15).enumerate().map(|(at, value)| if at % 2 == 0 { odd(*value) } else { *value }).sum();
    sum % 26 == nth(&values, 15)
}

fn pesel(text: &str) -> bool {
    let all = digits(text);
    let month = part(&all, 2, 4) % 20;
    let check = (10 - weighted(&all, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    all.len() == 11 && is_day(2000, month, part(&all, 4, 6)) && check == nth(&all, 10)
}

fn nip(text: &str) -> bool {
    let all = digits(text);
    all.len() == 10 && weighted(&all, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == nth(&all, 9) && !is_one_digit(&all)
}

fn bsn(text: &str) -> bool {
    let mut all = digits(text);
    if all.len() == 8 {
        all.insert(0, 0);
    }
    let sum = weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2]);
    all.len() == 9 && sum > 0 && sum % 11 == nth(&all, 8)
}

fn belgian(text: &str) -> bool {
    let all = digits(text);
    let body = number(all.get(..9).unwrap_or_default());
    let check = u64::from(part(&all, 9, 11));
    let is_date = part(&all, 2, 4) % 20 <= 12 && part(&all, 4, 6) <= 31;
    all.len() == 11 && is_date && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

fn swedish(text: &str) -> bool {
    let all = digits(text);
    let short = all.get(all.len().saturating_sub(10)..).unwrap_or_default();
    let day = part(short, 4, 6) % 60;
    let written: String = short.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
    short.len() == 10 && is_day(2000, part(short, 2, 4), day) && luhn(&written)
}

fn hetu(text: &str) -> bool {
    let all = digits(text.get(..10).unwrap_or_default());
    let rest = usize::try_from(number(&all) % 31).unwrap_or_default();
    let letter = "0123456789ABCDEFHJKLMNPRSTUVWXY".get(rest..=rest);
    is_day(2000, part(&all, 2, 4), part(&all, 0, 2))
        && letter.is_some_and(|letter| text.to_ascii_uppercase().ends_with(letter))
}

fn norwegian(text: &str) -> bool {
    let all = digits(text);
    let check = |weights: &[u32]| (11 - weighted(&all, weights) % 11) % 11;
    all.len() == 11
        && is_day(2000, part(&all, 2, 4), part(&all, 0, 2) % 40)
        && check(&[3, 7, 6, 1, 8, 9, 4, 5, 2]) == nth(&all, 9)
        && check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == nth(&all, 10)
}

fn ean13(text: &str) -> bool {
    let all = digits(text);
    all.len() == 13 && (10 - weighted(&all, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10 == nth(&all, 12)
}

fn portuguese(text: &str) -> bool {
    let all = digits(text);
    let rest = weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    all.len() == 9 && nth(&all, 8) == if rest < 2 { 0 } else { 11 - rest }
}

fn pps(text: &str) -> bool {
    let letters: Vec<u32> =
        text.chars().filter_map(|c| c.to_digit(36)).skip(7).map(|value| value.saturating_sub(9)).collect();
    let second = letters.get(1).map_or(0, |value| if *value == 23 { 0 } else { value * 9 });
    (weighted(&digits(text), &[8, 7, 6, 5, 4, 3, 2]) + second) % 23 == nth(&letters, 0) % 23
}

fn czech(text: &str) -> bool {
    let all = digits(text);
    let month = part(&all, 2, 4) % 50 % 20;
    all.len() == 10 && is_day(2000, month, part(&all, 4, 6)) && number(&all).is_multiple_of(11) && !is_time(text)
}

fn romanian(text: &str) -> bool {
    let all = digits(text);
    let rest = weighted(&all, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    all.len() == 13
        && is_day(2000, part(&all, 3, 5), part(&all, 5, 7))
        && nth(&all, 12) == if rest == 10 { 1 } else { rest }
}

fn turkish(text: &str) -> bool {
    let all = digits(text);
    let odd: u32 = all.iter().take(9).step_by(2).sum();
    let even: u32 = all.iter().take(8).skip(1).step_by(2).sum();
    let first: u32 = all.iter().take(10).sum();
    all.len() == 11 && (odd * 7 + 40 - even) % 10 == nth(&all, 9) && first % 10 == nth(&all, 10)
}

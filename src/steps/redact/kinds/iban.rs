//! The forms of account numbers by country.

use crate::steps::redact::checks::{compact, mod97};

/// Length and form by country, from the registry of SWIFT: `n` digits, `a` letters, `c` both.
const IBANS: [(&str, &str); 86] = [
    ("AD", "8n12c"),
    ("AE", "19n"),
    ("AL", "8n16c"),
    ("AT", "16n"),
    ("AZ", "4a20c"),
    ("BA", "16n"),
    ("BE", "12n"),
    ("BG", "4a6n8c"),
    ("BH", "4a14c"),
    ("BI", "23n"),
    ("BR", "23n1a1c"),
    ("BY", "4c4n16c"),
    ("CH", "5n12c"),
    ("CR", "18n"),
    ("CY", "8n16c"),
    ("CZ", "20n"),
    ("DE", "18n"),
    ("DJ", "23n"),
    ("DK", "14n"),
    ("DO", "4c20n"),
    ("EE", "16n"),
    ("EG", "25n"),
    ("ES", "20n"),
    ("FI", "14n"),
    ("FK", "2a12n"),
    ("FO", "14n"),
    ("FR", "10n11c2n"),
    ("GB", "4a14n"),
    ("GE", "2a16n"),
    ("GI", "4a15c"),
    ("GL", "14n"),
    ("GR", "7n16c"),
    ("GT", "4c20c"),
    ("HR", "17n"),
    ("HU", "24n"),
    ("IE", "4a14n"),
    ("IL", "19n"),
    ("IQ", "4a15n"),
    ("IS", "22n"),
    ("IT", "1a10n12c"),
    ("JO", "4a4n18c"),
    ("KW", "4a22c"),
    ("KZ", "3n13c"),
    ("LB", "4n20c"),
    ("LC", "4a24c"),
    ("LI", "5n12c"),
    ("LT", "16n"),
    ("LU", "3n13c"),
    ("LV", "4a13c"),
    ("LY", "21n"),
    ("MA", "24n"),
    ("MC", "10n11c2n"),
    ("MD", "2c18c"),
    ("ME", "18n"),
    ("MK", "3n10c2n"),
    ("MN", "16n"),
    ("MR", "23n"),
    ("MT", "4a5n18c"),
    ("MU", "4a19n3a"),
    ("NI", "4a20n"),
    ("NL", "4a10n"),
    ("NO", "11n"),
    ("OM", "3n16c"),
    ("PK", "4a16c"),
    ("PL", "24n"),
    ("PS", "4a21c"),
    ("PT", "21n"),
    ("QA", "4a21c"),
    ("RO", "4a16c"),
    ("RS", "18n"),
    ("RU", "14n15c"),
    ("SA", "2n18c"),
    ("SC", "4a20n3a"),
    ("SD", "14n"),
    ("SE", "20n"),
    ("SI", "15n"),
    ("SK", "20n"),
    ("SM", "1a10n12c"),
    ("SO", "19n"),
    ("ST", "21n"),
    ("SV", "4a20n"),
    ("TL", "19n"),
    ("TN", "20n"),
    ("TR", "5n1n16c"),
    ("UA", "6n19c"),
    ("VA", "18n"),
];

/// Whether a text is an IBAN of its country's form.
pub fn iban(text: &str) -> bool {
    let text = compact(text);
    let (Some(country), Some(sum), Some(rest)) = (text.get(..2), text.get(2..4), text.get(4..)) else { return false };
    let form = IBANS.iter().chain(&[("VG", "4a16n"), ("XK", "16n")]).find(|(known, _)| *known == country);
    form.is_some_and(|(_, form)| has_form(rest, form)) && mod97(&format!("{rest}{country}{sum}")) == 1
}

/// Whether a country is one of the registry's.
pub fn is_of_the_registry(country: &str) -> bool {
    IBANS.iter().any(|(known, _)| *known == country)
}

fn has_form(text: &str, form: &str) -> bool {
    let mut rest = text;
    for piece in form.split_inclusive(['n', 'a', 'c']) {
        let (count, class) = piece.split_at(piece.len().saturating_sub(1));
        let Some((head, tail)) = rest.split_at_checked(count.parse().unwrap_or(usize::MAX)) else { return false };
        let suits = head.bytes().all(|c| match class {
            "n" => c.is_ascii_digit(),
            "a" => c.is_ascii_uppercase(),
            _ => c.is_ascii_alphanumeric(),
        });
        if !suits {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

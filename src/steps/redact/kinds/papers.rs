//! Passports, licences and vehicles.

use crate::steps::redact::checks::{digits, nth};
use crate::steps::redact::kind::Profile::{Eu, Pii, Us};
use crate::steps::redact::kind::{Kind, Shape};

pub const KINDS: &[Kind] = &[
    Kind {
        name: "passport",
        label: "PASSPORT",
        says: "a passport's number after a word that names it",
        profiles: &[Pii, Eu, Us],
        near: &["passport", "passport number", "reisepass", "pass", "passnummer", "passeport", "pasaporte", "passaporto", "paspoort", "paszport", "여권", "护照", "旅券", "passaporte", "travel document"],
        unless: &[],
        shapes: &[Shape::number(r"(?:[A-Za-z]{1,2} ?)?\d{6,9}|[A-Z]\d{2}[A-Z]{2}\d{5}|\d{2}[A-Z]{2}\d{5}|[A-Z]{3}\d{6}|[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{8}").check(numbered).in_context()],
        examples: &["passport: «912803456»", "Passport number is «A12345678»", "Reisepass «C01X00T47»"],
        counters: &["912803456", "passport 2024", "pass rate"],
    },
    Kind {
        name: "driver_license",
        label: "DRIVER_LICENSE",
        says: "a driving licence's number after a word that names it",
        profiles: &[Pii, Us],
        near: &["driver license", "driver's license", "drivers license", "driving license", "driving licence", "driver licence", "driver", "license", "licence", "dl", "dlx", "cdl", "lic", "permit", "führerschein", "führerscheinnummer", "permis", "patente", "dmv", "prawo jazdy"],
        unless: &[],
        shapes: &[
            Shape::number(r"[A-Za-z]{1,2}\d{5,8}|[A-Z]\d{2}-\d{2}-\d{4}|[A-Z]\d{3}-\d{4}-\d{4}|[A-Z]\d{9,14}|[A-Z]{5}\d{6}[A-Z0-9]{5}|[A-Z]{2}\d{7}[A-Z]|\d{7,9}|[A-Z]\d{3}-\d{3}-\d{2}-\d{3}-\d|[A-Z0-9]\d{2}[A-Z0-9]{6}\d[A-Z0-9]")
                .check(numbered)
                .in_context(),
        ],
        examples: &["driver's license: «H12234567»", "my driving licence is «MORGA657054SM9IJ»", "DL «A1234567»"],
        counters: &["H12234567", "license MIT"],
    },
    Kind {
        name: "vin",
        label: "VIN",
        says: "a vehicle identification number with its check character, or any after a word that names it",
        profiles: &[Pii],
        near: &["vin", "vehicle identification", "chassis", "fahrgestellnummer", "fin"],
        unless: &[],
        shapes: &[
            Shape::number(r"[A-HJ-NPR-Z0-9]{12}\d{5}").check(vin).sure(60, 95),
            Shape::number(r"[A-HJ-NPR-Za-hj-npr-z0-9]{17}").check(numbered).in_context(),
        ],
        examples: &["«1M8GDM9AXKP042788»", "VIN: «WVWZZZ1JZXW000001»"],
        counters: &["1M8GDM9AYKP042788", "12345678901234567"],
    },
];

/// At least five digits in it.
fn numbered(text: &str) -> bool {
    digits(text).len() >= 4 && text.bytes().filter(u8::is_ascii_alphanumeric).count() >= 6
}

/// ISO 3779, with the check character of North America.
fn vin(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |c: char| match c {
        '0'..='9' => c.to_digit(10).unwrap_or_default(),
        'A' | 'J' => 1,
        'B' | 'K' | 'S' => 2,
        'C' | 'L' | 'T' => 3,
        'D' | 'M' | 'U' => 4,
        'E' | 'N' | 'V' => 5,
        'F' | 'W' => 6,
        'G' | 'P' | 'X' => 7,
        'H' | 'Y' => 8,
        _ => 9,
    };
    let values: Vec<u32> = text.chars().map(value).collect();
    let rest: u32 = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum::<u32>() % 11;
    let check = text.as_bytes().get(8).copied().unwrap_or_default();
    let is_right = if rest == 10 { check == b'X' } else { check.is_ascii_digit() && nth(&values, 8) == rest };
    is_right && text.bytes().any(|c| c.is_ascii_alphabetic())
}

//! Numbers that states and health systems of the Americas give to people.

use crate::steps::redact::checks::{digits, is_one_digit, luhn, nth, number, part, weighted};
use crate::steps::redact::kind::Profile::{Default, Pii, Us};
use crate::steps::redact::kind::{Kind, Shape};

pub const KINDS: &[Kind] = &[
    Kind {
        name: "us_ssn",
        label: "SSN",
        says: "a US social security number: with dashes, or without after a word that names it",
        profiles: &[Default, Pii, Us],
        near: &["ssn", "social security", "social", "soc sec", "ss number", "social security no", "ssns", "ssid"],
        unless: &[],
        shapes: &[
            Shape::number(r"\d{3}-\d{2}-\d{4}").check(ssn).sure(80, 95),
            Shape::number(r"\d{3}[ .]\d{2}[ .]\d{4}").check(ssn).in_context(),
            Shape::number(r"\d{9}|\d{5}-\d{4}").check(ssn).in_context(),
        ],
        examples: &["«536-22-8726».", "SSN: «536228726»", "my social security number is «536 22 8726»"],
        counters: &["536228726", "000-22-8726", "666-22-8726", "536-00-8726", "1-536-22-8726", "ssn 078051120"],
    },
    Kind {
        name: "us_itin",
        label: "ITIN",
        says: "a US individual taxpayer number: with dashes, or without after a word that names it",
        profiles: &[Pii, Us],
        near: &["itin", "taxpayer", "individual taxpayer", "tax id", "taxid", "tin"],
        unless: &[],
        shapes: &[
            Shape::number(r"9\d{2}-\d{2}-\d{4}").check(itin).sure(75, 95),
            Shape::number(r"9\d{2} ?\d{2} ?\d{4}|9\d{4}-\d{4}|9\d{2}-\d{6}").check(itin).in_context(),
        ],
        examples: &["«911-70-1234»", "ITIN «911701234»"],
        counters: &["911701234", "itin 911-10-1234"],
    },
    Kind {
        name: "us_ein",
        label: "EIN",
        says: "a US employer number after a word that names it",
        profiles: &[Us],
        near: &["ein", "employer identification", "fein", "tax id", "federal tax", "employer id", "tin"],
        unless: &[],
        shapes: &[Shape::number(r"\d{2}-?\d{7}").check(|text| !is_one_digit(&digits(text))).in_context()],
        examples: &["EIN: «12-3456789»"],
        counters: &["12-3456789"],
    },
    Kind {
        name: "us_npi",
        label: "NPI",
        says: "a US health care provider's number with its check digit, after a word that names it",
        profiles: &[Us],
        near: &["npi", "national provider", "provider"],
        unless: &[],
        shapes: &[Shape::number(r"[12]\d{9}|[12]\d{3}[- ]\d{3}[- ]\d{3}").check(|text| luhn(&format!("80840{text}"))).in_context()],
        examples: &["NPI «1245319599»"],
        counters: &["1245319599", "NPI 1245319598"],
    },
    Kind {
        name: "us_mbi",
        label: "MBI",
        says: "a US Medicare beneficiary identifier",
        profiles: &[Pii, Us],
        near: &["mbi", "medicare", "beneficiary"],
        unless: &[],
        shapes: &[
            Shape::number(r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-[AC-HJKMNP-RT-Y]{2}\d{2}")
                .sure(85, 95),
            Shape::number(r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y]{2}\d{2}")
                .sure(50, 95),
        ],
        examples: &["«1EG4-TE5-MK73»", "Medicare: «1EG4TE5MK73»"],
        counters: &["1SG4-TE5-MK73"],
    },
    Kind {
        name: "us_dea",
        label: "MEDICAL_LICENSE",
        says: "a US medical licence (DEA) with its check digit, after a word that names it",
        profiles: &[Us],
        near: &["dea", "medical", "certificate", "license", "licence", "prescriber", "medical license"],
        unless: &[],
        shapes: &[Shape::new(r"[ABCDEFGHJKLMPRSTUXabcdefghjklmprstux][A-Za-z9]-?\d{7}").check(dea).in_context()],
        examples: &["DEA number «AB1234563»"],
        counters: &["AB1234563", "DEA AB1234564"],
    },
    Kind {
        name: "ca_sin",
        label: "SIN",
        says: "a Canadian social insurance number with its check digit, after a word that names it",
        profiles: &[Pii],
        near: &["sin", "social insurance", "nas", "assurance sociale", "insurance"],
        unless: &[],
        shapes: &[Shape::number(r"[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}").check(luhn).in_context()],
        examples: &["SIN: «130 692 544»", "social insurance number «130-692-544»"],
        counters: &["130 692 544", "SIN 130 692 545"],
    },
    Kind {
        name: "br_cpf",
        label: "CPF",
        says: "a Brazilian taxpayer number with its check digits: in its own form, or bare after a word that names it",
        profiles: &[Pii],
        near: &["cpf", "cadastro", "contribuinte"],
        unless: &[],
        shapes: &[Shape::number(r"\d{3}\.\d{3}\.\d{3}-\d{2}").check(cpf), Shape::number(r"\d{9}-?\d{2}").check(cpf).in_context()],
        examples: &["«529.982.247-25»", "CPF: «52998224725»"],
        counters: &["529.982.247-26", "52998224725", "111.111.111-11"],
    },
    Kind {
        name: "br_cnpj",
        label: "CNPJ",
        says: "a Brazilian company's number with its check digits: in its own form, or bare after a word that names it",
        profiles: &[],
        near: &["cnpj", "cadastro"],
        unless: &[],
        shapes: &[
            Shape::number(r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}").check(cnpj),
            Shape::number(r"\d{14}").check(cnpj).in_context(),
        ],
        examples: &["«11.222.333/0001-81»", "cnpj=«11222333000181»"],
        counters: &["11.222.333/0001-82", "11222333000181"],
    },
    Kind {
        name: "mx_curp",
        label: "CURP",
        says: "a Mexican population registry code",
        profiles: &[Pii],
        near: &["curp"],
        unless: &[],
        shapes: &[Shape::new(r"[A-Z]{4}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d")],
        examples: &["«HEGG560427MVZRRL04»"],
        counters: &["HEGG561327MVZRRL04"],
    },
    Kind {
        name: "cl_rut",
        label: "RUT",
        says: "a Chilean tax number with its check character: in its own form, or after a word that names it",
        profiles: &[],
        near: &["rut", "run"],
        unless: &[],
        shapes: &[
            Shape::number(r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]").check(rut).sure(85, 95),
            Shape::number(r"\d{7,8}-[\dKk]").check(rut).in_context(),
        ],
        examples: &["«12.345.678-5»", "RUT «12345678-5»"],
        counters: &["12.345.678-6"],
    },
];

/// Areas 000, 666 and from 900 were never given; some numbers stood in advertisements.
fn ssn(text: &str) -> bool {
    let all = digits(text);
    let (area, group, serial) = (part(&all, 0, 3), part(&all, 3, 5), part(&all, 5, 9));
    let is_sample = matches!(number(&all), 78_051_120 | 219_099_999 | 111_223_333 | 123_456_789);
    all.len() == 9
        && area > 0
        && area < 900
        && area != 666
        && group > 0
        && serial > 0
        && !is_sample
        && !is_one_digit(&all)
}

/// IRS: the fourth and fifth digits are 50 to 65, 70 to 88, 90 to 92 or 94 to 99.
fn itin(text: &str) -> bool {
    let all = digits(text);
    all.len() == 9 && matches!(part(&all, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn dea(text: &str) -> bool {
    let all: Vec<u32> = text.get(2..).unwrap_or_default().chars().filter_map(|c| c.to_digit(10)).collect();
    let sum = weighted(&all, &[1, 2, 1, 2, 1, 2]);
    all.len() == 7 && sum % 10 == nth(&all, 6)
}

fn eleven(digits: &[u32], weights: &[u32]) -> u32 {
    let rest = weighted(digits, weights) % 11;
    if rest < 2 { 0 } else { 11 - rest }
}

fn cpf(text: &str) -> bool {
    let all = digits(text);
    all.len() == 11
        && !is_one_digit(&all)
        && eleven(&all, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == nth(&all, 9)
        && eleven(&all, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == nth(&all, 10)
}

fn cnpj(text: &str) -> bool {
    let all = digits(text);
    all.len() == 14
        && !is_one_digit(&all)
        && eleven(&all, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == nth(&all, 12)
        && eleven(&all, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == nth(&all, 13)
}

fn rut(text: &str) -> bool {
    let Some((body, check)) = text.rsplit_once('-') else { return false };
    let sum: u32 =
        digits(body).iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    let wanted = match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        digit => char::from_digit(digit, 10).unwrap_or('?'),
    };
    check.to_ascii_uppercase().starts_with(wanted)
}

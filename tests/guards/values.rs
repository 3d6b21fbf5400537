//! Values of the kinds, made from the rules of their issuers and not by the checks that are tested.

use fastrand::Rng;

pub fn digits(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + rng.u8(0..10))).collect()
}

pub fn of(rng: &mut Rng, alphabet: &str, count: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..count).map(|_| alphabet[rng.usize(0..alphabet.len())]).collect()
}

pub const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The digit that makes a number pass Luhn.
fn luhn(body: &str) -> char {
    (0..10)
        .map(|digit| char::from_digit(digit, 10).unwrap())
        .find(|digit| {
            let sum: u32 = format!("{body}{digit}")
                .bytes()
                .rev()
                .enumerate()
                .map(|(at, c)| {
                    let value = u32::from(c - b'0') << (at % 2);
                    if value > 9 { value - 9 } else { value }
                })
                .sum();
            sum.is_multiple_of(10)
        })
        .unwrap()
}

pub fn grouped(text: &str, sizes: &[usize], separator: &str) -> String {
    let mut rest = text;
    let mut groups = Vec::new();
    for size in sizes {
        let (group, tail) = rest.split_at(*size);
        groups.push(group);
        rest = tail;
    }
    groups.join(separator) + rest
}

pub fn card(rng: &mut Rng) -> String {
    let (prefix, length) = *rng
        .choice(&[
            ("4", 16),
            ("51", 16),
            ("55", 16),
            ("2221", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("3530", 16),
            ("36", 14),
        ])
        .unwrap();
    let body = format!("{prefix}{}", digits(rng, length - 1 - prefix.len()));
    let number = format!("{body}{}", luhn(&body));
    match (length, rng.u8(0..3)) {
        (16, 0) => grouped(&number, &[4, 4, 4, 4], " "),
        (16, 1) => grouped(&number, &[4, 4, 4, 4], "-"),
        (15, 0) => grouped(&number, &[4, 6, 5], " "),
        _ => number,
    }
}

pub fn iban(rng: &mut Rng) -> String {
    let (country, bban) = match rng.u8(0..4) {
        0 => ("DE", digits(rng, 18)),
        1 => ("GB", of(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4) + &digits(rng, 14)),
        2 => ("NL", of(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4) + &digits(rng, 10)),
        _ => ("ES", digits(rng, 20)),
    };
    let written: String = format!("{bban}{country}00").chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
    let rest = written.bytes().fold(0_u32, |rest, c| (rest * 10 + u32::from(c - b'0')) % 97);
    let number = format!("{country}{:02}{bban}", 98 - rest);
    if rng.bool() {
        number
    } else {
        number.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(" ")
    }
}

pub fn email(rng: &mut Rng) -> String {
    let name = of(rng, "abcdefghijklmnopqrstuvwxyz0123456789", 6);
    let dot = *rng.choice(&["", ".x", "+tag", "_y"]).unwrap();
    let domain = *rng.choice(&["example.com", "mail.example.co.uk", "firma-gmbh.de", "x.io", "uni.edu"]).unwrap();
    format!("a{name}{dot}@{domain}")
}

pub fn phone(rng: &mut Rng) -> String {
    let (area, exchange) = (rng.u32(212..900) / 10 * 10 + 2, rng.u32(212..900) / 10 * 10 + 3);
    let (area, exchange) = (if area / 10 == 37 || area / 10 == 96 { 415 } else { area }, exchange);
    let line = digits(rng, 4);
    match rng.u8(0..9) {
        0 => format!("({area}) {exchange}-{line}"),
        1 => format!("{area}-{exchange}-{line}"),
        2 => format!("+1 {area} {exchange} {line}"),
        3 => format!("+49 30 {}", digits(rng, 7)),
        4 => format!("+44 20 7{} {}", digits(rng, 3), digits(rng, 4)),
        5 => format!("06 {} {} {} {}", rng.u8(10..99), rng.u8(10..99), rng.u8(10..99), rng.u8(10..99)),
        6 => format!("07{} {}", digits(rng, 3), digits(rng, 6)),
        7 => format!("{area}.{exchange}.{line}"),
        _ => format!("+91 9{} {}", digits(rng, 4), digits(rng, 5)),
    }
}

pub fn ssn(rng: &mut Rng) -> String {
    format!("{}-{:02}-{:04}", rng.u32(100..600), rng.u32(1..99), rng.u32(1..9999))
}

pub fn ip(rng: &mut Rng) -> String {
    if rng.u8(0..3) == 0 {
        return format!("2001:db8:{:x}:{:x}::{:x}", rng.u16(1..), rng.u16(1..), rng.u16(1..));
    }
    format!("{}.{}.{}.{}", rng.u8(1..120), rng.u8(..), rng.u8(..), rng.u8(1..255))
}

pub fn mac(rng: &mut Rng) -> String {
    (0..6).map(|at| format!("{:02x}", rng.u8(1..) ^ at)).collect::<Vec<_>>().join(":")
}

pub fn weighted_last(rng: &mut Rng, weights: &[u32], modulus: u32, check: fn(u32) -> Option<u32>) -> String {
    loop {
        let body = digits(rng, weights.len());
        let sum: u32 = body.bytes().zip(weights).map(|(c, weight)| u32::from(c - b'0') * weight).sum();
        if let Some(digit) = check(sum % modulus)
            && !body.starts_with('0')
        {
            return format!("{body}{digit}");
        }
    }
}

pub fn nhs(rng: &mut Rng) -> String {
    let number = weighted_last(rng, &[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, |rest| match 11 - rest {
        11 => Some(0),
        10 => None,
        digit => Some(digit),
    });
    if rng.bool() { grouped(&number, &[3, 3, 4], " ") } else { number }
}

pub fn cpf(rng: &mut Rng) -> String {
    let check = |rest: u32| Some(if rest < 2 { 0 } else { 11 - rest });
    let first = weighted_last(rng, &[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, check);
    let sum: u32 =
        first.bytes().zip([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]).map(|(c, weight)| u32::from(c - b'0') * weight).sum();
    let number = format!("{first}{}", check(sum % 11).unwrap());
    format!("{}.{}.{}-{}", &number[..3], &number[3..6], &number[6..9], &number[9..])
}

pub fn nif(rng: &mut Rng) -> String {
    let number: usize = rng.usize(10_000_000..99_999_999);
    format!("{number}{}", &"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23..][..1])
}

pub fn swedish(rng: &mut Rng) -> String {
    let body = format!("{:02}{:02}{:02}{:03}", rng.u8(40..99), rng.u8(1..13), rng.u8(1..29), rng.u16(1..999));
    let check = luhn(&body);
    format!("{}-{}{check}", &body[..6], &body[6..])
}

pub fn finnish(rng: &mut Rng) -> String {
    let (date, serial) =
        (format!("{:02}{:02}{:02}", rng.u8(1..29), rng.u8(1..13), rng.u8(40..99)), format!("{:03}", rng.u16(2..899)));
    let rest = format!("{date}{serial}").parse::<usize>().unwrap() % 31;
    format!("{date}-{serial}{}", &"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest..=rest])
}

pub fn pan(rng: &mut Rng) -> String {
    of(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 3) + "P" + &of(rng, "ABCDEFGH", 1) + &digits(rng, 4) + "K"
}

pub fn korean(rng: &mut Rng) -> String {
    format!("{:02}{:02}{:02}-{}{}", rng.u8(40..99), rng.u8(1..13), rng.u8(1..29), rng.u8(1..5), digits(rng, 6))
}

pub fn abn(rng: &mut Rng) -> String {
    loop {
        let number = rng.u64(10_000_000_000..99_999_999_999).to_string();
        let sum: u32 = number
            .bytes()
            .zip([10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
            .enumerate()
            .map(|(at, (c, weight))| (u32::from(c - b'0') - u32::from(at == 0)) * weight)
            .sum();
        if sum.is_multiple_of(89) {
            return grouped(&number, &[2, 3, 3, 3], " ");
        }
    }
}

pub fn ethereum(rng: &mut Rng) -> String {
    format!("0x{}", of(rng, "0123456789abcdef", 40))
}

pub fn token(rng: &mut Rng) -> (&'static str, String) {
    match rng.u8(0..9) {
        0 => ("aws_access_key", format!("AKIA{}", of(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))),
        1 => ("github_token", format!("ghp_{}", of(rng, ALNUM, 36))),
        2 => ("openai_key", format!("sk-proj-{}", of(rng, ALNUM, 48))),
        3 => ("anthropic_key", format!("sk-ant-api03-{}AA", of(rng, ALNUM, 90))),
        4 => ("google_key", format!("AIza{}", of(rng, ALNUM, 35))),
        5 => ("stripe_key", format!("sk_live_{}", of(rng, ALNUM, 24))),
        6 => ("slack_token", format!("xoxb-{}-{}-{}", digits(rng, 12), digits(rng, 12), of(rng, ALNUM, 24))),
        7 => ("gitlab_token", format!("glpat-{}", of(rng, ALNUM, 20))),
        _ => ("jwt", format!("eyJ{}.eyJ{}.{}", of(rng, ALNUM, 33), of(rng, ALNUM, 60), of(rng, ALNUM, 43))),
    }
}

/// The name of a kind, a text before the value, and the value.
pub fn labelled(rng: &mut Rng) -> (&'static str, &'static str, String) {
    match rng.u8(0..21) {
        0 => ("card", "", card(rng)),
        1 => ("iban", "", iban(rng)),
        2 => ("email", "", email(rng)),
        3 => ("phone", "", phone(rng)),
        4 => ("us_ssn", "", ssn(rng)),
        5 => ("ip", "", ip(rng)),
        6 => ("mac", "", mac(rng)),
        7 => ("uk_nhs", "NHS number: ", nhs(rng)),
        8 => ("br_cpf", "", cpf(rng)),
        9 => ("es_nif", "", nif(rng)),
        10 => ("se_personnummer", "", swedish(rng)),
        11 => ("fi_hetu", "", finnish(rng)),
        12 => ("in_pan", "", pan(rng)),
        13 => ("kr_rrn", "", korean(rng)),
        14 => ("au_abn", "", abn(rng)),
        15 => ("crypto", "", ethereum(rng)),
        16 => ("url_credentials", "", format!("postgres://app:{}@db.internal:5432/main", of(rng, ALNUM, 10))),
        17 => ("assigned_secret", "api_key = \"", of(rng, ALNUM, 24) + "7x"),
        18 => ("birth_date", "date of birth ", format!("{}/{:02}/19{}", rng.u8(1..13), rng.u8(1..29), rng.u8(40..99))),
        _ => {
            let (kind, value) = token(rng);
            (kind, "", value)
        }
    }
}

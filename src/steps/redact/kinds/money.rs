//! Cards, accounts and wallets.

use crate::steps::redact::checks::{base58check, bech32, digits, is_one_digit, is_time, luhn, nth, part, weighted};
use crate::steps::redact::kind::Profile::{Default, Eu, Pci, Pii, Us};
use crate::steps::redact::kind::{Kind, Shape};
use crate::steps::redact::kinds::iban::{iban, is_of_the_registry};

/// Words before numbers that are names of things.
const THINGS: &[&str] = &[
    "order",
    "id",
    "tracking",
    "invoice",
    "timestamp",
    "ref",
    "reference",
    "number",
    "no",
    "ticket",
    "trace",
    "request",
    "build",
    "nonce",
    "offset",
    "seed",
    "snowflake",
    "uid",
    "pid",
    "hash",
    "version",
    "isbn",
    "imei",
    "serial",
    "sku",
    "ean",
    "upc",
    "key",
];

const CARD_WORDS: &[&str] = &[
    "card",
    "credit",
    "debit",
    "visa",
    "mastercard",
    "amex",
    "american express",
    "maestro",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "pan",
    "cc",
    "ccn",
    "kreditkarte",
    "kartennummer",
    "karte",
    "carte",
    "tarjeta",
    "carta",
    "cartão",
    "creditcard",
    "payment",
];

pub const KINDS: &[Kind] = &[
    Kind {
        name: "card",
        label: "CARD",
        says: "a payment card number of a known issuer's range and length, with its check digit and even grouping",
        profiles: &[Default, Pii, Pci, Eu, Us],
        near: CARD_WORDS,
        unless: THINGS,
        shapes: &[
            Shape::number(r"\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{3})?").check(card).sure(90, 95),
            Shape::number(r"3[0-9]\d{2}[ -]\d{6}[ -]\d{4,5}").check(card).sure(90, 95),
            Shape::number(r"[2-6]\d{15}|4\d{12}|3\d{13,14}").check(card).sure(60, 95),
            Shape::number(r"[2-6]\d{11,18}").check(card).in_context(),
            Shape::number(r"1\d{3}[ -]?\d{5}[ -]?\d{6}").check(luhn).in_context(),
        ],
        examples: &[
            "paid with «4111 1111 1111 1111».",
            "«4012-8888-8888-1881»",
            "«371449635398431»",
            "«3714 496353 98431»",
            "«5555555555554444»",
            "«30569309025904»",
            "card «122000000000003»",
            "«6759649826438453»",
            "maestro card «676196001942»",
            "John,«4111111111111111»,12/27",
        ],
        counters: &[
            "4111 1111-1111 1111",
            "4111 1111 1111 1112",
            "order id 4012888888881881",
            "1700000000000000",
            "4.111111111111111",
            "ab-4111111111111111",
            "0000000000000000",
            "7992739871300000",
        ],
    },
    Kind {
        name: "card_code",
        label: "CARD_CODE",
        says: "the security code of a card, after a word that names it",
        profiles: &[Pci],
        near: &["cvv", "cvc", "cvv2", "cvc2", "csc", "cid", "security code", "card verification", "prüfziffer", "cvn"],
        unless: &[],
        shapes: &[Shape::number(r"\d{3,4}")
            .in_context()
            .check(|text| !(text.len() == 4 && (text.starts_with("19") || text.starts_with("20"))))],
        examples: &["CVV: «123»", "cvc is «0423»", "security code «987»"],
        counters: &["page 123", "cvv in 2024"],
    },
    Kind {
        name: "card_expiry",
        label: "CARD_EXPIRY",
        says: "the month and year a card expires, after a word that says so",
        profiles: &[Pci],
        near: &[
            "expiry",
            "expires",
            "expiration",
            "exp",
            "valid thru",
            "valid until",
            "good thru",
            "gültig bis",
            "expire",
            "scadenza",
            "vence",
        ],
        unless: &[],
        shapes: &[Shape::number(r"(?:0[1-9]|1[0-2]) ?[/-] ?(?:20)?[2-4]\d").in_context()],
        examples: &["exp «04/27»", "Expiry date: «12/2028»"],
        counters: &["scored 04/27", "exp 13/27"],
    },
    Kind {
        name: "iban",
        label: "IBAN",
        says: "an international bank account number: the country's length and form, and a remainder of 1 by 97 (ISO 13616)",
        profiles: &[Default, Pii, Pci, Eu],
        near: &[],
        unless: &[],
        shapes: &[
            Shape::new(r"[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?").check(iban),
            Shape::new(r"[A-Z]{2}\d{2}(?:-[A-Z0-9]{4}){2,7}(?:-[A-Z0-9]{1,3})?").check(iban),
            Shape::new(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}").check(iban),
        ],
        examples: &[
            "«DE89 3704 0044 0532 0130 00»",
            "IBAN:«GB82WEST12345698765432»,",
            "«FR1420041010050500013M02606»",
            "«NO93 8601 1117 947»",
            "«de89370400440532013000»",
            "«MT84MALT011000012345MTLCAST001S» THIS",
        ],
        counters: &["DE88 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 3", "XX82WEST12345698765432"],
    },
    Kind {
        name: "bic",
        label: "BIC",
        says: "a bank's identifier (SWIFT) after a word that names it",
        profiles: &[Eu],
        near: &["swift", "bic", "bank identifier", "swift code", "bic code"],
        unless: &[],
        shapes: &[Shape::new(r"[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?").check(bic).in_context()],
        examples: &["BIC: «DEUTDEFF»", "SWIFT code «COBADEFFXXX»"],
        counters: &["SWIFT PROGRAMS", "DEUTDEFF"],
    },
    Kind {
        name: "us_routing",
        label: "ROUTING",
        says: "a US bank routing number (ABA) with its check digit, after a word that names it",
        profiles: &[Us],
        near: &["routing", "aba", "rtn", "routing number", "transit", "ach", "bank"],
        unless: &[],
        shapes: &[
            Shape::number(r"(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)\d{7}").check(routing).in_context(),
            Shape::number(r"(?:0\d|1[0-2]|2[1-9]|3[0-2])\d{2}-\d{4}-\d").check(routing).sure(60, 90),
        ],
        examples: &["routing number «021000021»", "ABA: «121000358»"],
        counters: &["021000021", "routing 021000022"],
    },
    Kind {
        name: "us_bank_account",
        label: "BANK_ACCOUNT",
        says: "a bank account number after a word that names it",
        profiles: &[Us],
        near: &[
            "bank account",
            "account number",
            "acct",
            "account",
            "checking",
            "savings",
            "bank",
            "account no",
            "acct no",
            "deposit",
            "konto",
            "kontonummer",
        ],
        unless: &[],
        shapes: &[Shape::number(r"\d{8,17}").check(|text| !is_time(text) && !is_one_digit(&digits(text))).sure(0, 60)],
        examples: &["account number «945456787654»", "checking acct: «12345678901»"],
        counters: &["945456787654", "account created 1700000000"],
    },
    Kind {
        name: "crypto",
        label: "WALLET",
        says: "an address of Bitcoin (base58check or bech32), Ethereum, Litecoin, Tron, Ripple, Cardano, Monero or Solana",
        profiles: &[Pii],
        near: &["solana", "sol", "xrp", "ripple", "monero", "xmr", "wallet"],
        unless: &[],
        shapes: &[
            Shape::new(r"[13LMTD][1-9A-HJ-NP-Za-km-z]{25,34}").check(base58check),
            Shape::new(r"(?:bc|tb|ltc)1[ac-hj-np-z02-9]{8,87}").check(bech32),
            Shape::new(r"(?:BC|TB|LTC)1[AC-HJ-NP-Z02-9]{8,87}").check(bech32),
            Shape::new(r"0x[0-9a-fA-F]{40}")
                .check(|text| text.get(2..).is_some_and(|hex| !hex.bytes().all(|c| c == b'0'))),
            Shape::new(r"addr1[ac-hj-np-z02-9]{50,108}").check(bech32),
            Shape::new(r"[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}"),
            Shape::new(r"r[1-9A-HJ-NP-Za-km-z]{24,34}").check(mixed).in_context(),
            Shape::new(r"[1-9A-HJ-NP-Za-km-z]{43,44}").check(mixed).in_context(),
        ],
        examples: &[
            "«16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ»",
            "«bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4»",
            "«0x52908400098527886E0F7030069857D2E4169EE7»",
            "«3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy»",
        ],
        counters: &[
            "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyA",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ],
    },
];

fn mixed(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Issuers' ranges and lengths (ISO/IEC 7812, the networks' own pages), check digit, and one separator throughout.
pub fn card(text: &str) -> bool {
    let digits = digits(text);
    let mut separators = text.chars().filter(|c| !c.is_ascii_digit());
    let first = separators.next();
    let (two, three, four) = (part(&digits, 0, 2), part(&digits, 0, 3), part(&digits, 0, 4));
    let six = part(&digits, 0, 6);
    let lengths: &[usize] = match two {
        40..=49 => &[13, 16, 19],
        51..=55 => &[16],
        22..=27 if (2221..=2720).contains(&four) => &[16],
        34 | 37 => &[15],
        30 if three <= 305 || three == 309 => &[14, 16],
        36 | 38 | 39 => &[14, 16],
        35 if (3528..=3589).contains(&four) => &[16, 17, 18, 19],
        60 if four == 6011 || (601_100..=601_199).contains(&six) => &[16, 19],
        64 | 65 => &[16, 19],
        62 => &[16, 17, 18, 19],
        50 | 56..=59 | 60..=69 => &[12, 13, 14, 15, 16, 17, 18, 19],
        _ => &[],
    };
    lengths.contains(&digits.len()) && luhn(text) && separators.all(|c| Some(c) == first) && !is_time(text)
}

fn bic(text: &str) -> bool {
    let country = text.get(4..6).unwrap_or_default();
    let others = [
        "US", "CA", "JP", "CN", "IN", "AU", "NZ", "SG", "HK", "KR", "MX", "ZA", "TH", "MY", "ID", "PH", "VN", "AR",
        "CL", "CO",
    ];
    is_of_the_registry(country) || others.contains(&country)
}

/// ABA: weights 3, 7, 1 over nine digits.
fn routing(text: &str) -> bool {
    let digits = digits(text);
    let sum = weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    digits.len() == 9 && sum.is_multiple_of(10) && sum > 0 && nth(&digits, 0) < 9
}

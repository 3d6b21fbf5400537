//! Numbers that the states of Asia, Africa and the Pacific give to people and companies.

use crate::steps::redact::checks::{
    compact, digits, is_day, is_one_digit, luhn, nth, number, part, verhoeff, weighted,
};
use crate::steps::redact::kind::{Kind, Shape};
use crate::steps::redact::kinds::national;

pub const KINDS: &[Kind] = &[
    national("in_aadhaar", "AADHAAR", "an Indian identity number with its check digit: in groups of four, or bare after a word that names it",
        &["aadhaar", "aadhar", "uidai", "uid", "adhar"],
        &[Shape::number(r"[2-9]\d{3} \d{4} \d{4}|[2-9]\d{3}-\d{4}-\d{4}").check(verhoeff).sure(60, 95), Shape::number(r"[2-9]\d{11}").check(verhoeff).in_context()],
        &["«2363 4128 2479»", "Aadhaar «236341282479»"], &["2363 4128 2478", "236341282479"]),
    national("in_pan", "PAN", "an Indian tax number, its fourth letter the holder's kind",
        &["pan", "permanent account", "income tax"],
        &[Shape::number(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]").sure(70, 95), Shape::number(r"(?i:[A-Z]{5}\d{4}[A-Z])").in_context()],
        &["«ABCPE1234F»", "pan: «abcpe1234f»"], &["ABCDE1234", "abcpe1234f"]),
    national("in_voter", "EPIC", "an Indian voter's number after a word that names it", &["voter", "epic", "elector"],
        &[Shape::number(r"[A-Za-z]{3}\d{7}").in_context()], &["voter id «ABC1234567»"], &["ABC1234567"]),
    national("in_gstin", "GSTIN", "an Indian goods and services tax number", &["gstin", "gst"],
        &[Shape::number(r"[0-3]\d[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]")], &["«27AAPFU0939F1ZV»"], &["27AAPFU0939F1YV"]),
    national("in_vehicle", "IN_VEHICLE", "an Indian vehicle's registration after a word that names it", &["vehicle", "registration", "car", "plate", "rto"],
        &[Shape::number(r"(?:AN|AP|AR|AS|BR|CG|CH|DD|DL|DN|GA|GJ|HP|HR|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY|RJ|SK|TN|TR|TS|UK|UP|WB)[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{4}").sure(50, 95)],
        &["vehicle «KA53ME3456»"], &["XX53ME3456"]),
    national("au_tfn", "TFN", "an Australian tax file number with its check, after a word that names it", &["tfn", "tax file"],
        &[Shape::number(r"\d{3}[ -]?\d{3}[ -]?\d{3}").check(|text| { let all = digits(text); all.len() == 9 && weighted(&all, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !is_one_digit(&all) }).in_context()],
        &["TFN: «876 543 210»"], &["876 543 210", "TFN 876 543 211"]),
    national("au_abn", "ABN", "an Australian business number with its check, spaced or after a word that names it", &["abn", "australian business"],
        &[Shape::number(r"\d{2} \d{3} \d{3} \d{3}").check(abn).sure(70, 95), Shape::number(r"\d{11}").check(abn).in_context()],
        &["«51 824 753 556»", "ABN «51824753556»"], &["51 824 753 557", "51824753556"]),
    national("au_acn", "ACN", "an Australian company's number with its check digit, after a word that names it", &["acn", "australian company"],
        &[Shape::number(r"\d{3} ?\d{3} ?\d{3}").check(|text| { let all = digits(text); (10 - weighted(&all, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == nth(&all, 8) }).in_context()],
        &["ACN «004 085 616»"], &["004 085 616"]),
    national("au_medicare", "MEDICARE", "an Australian Medicare number with its check digit, after a word that names it", &["medicare"],
        &[Shape::number(r"[2-6]\d{3}[ -]?\d{5}[ -]?\d(?:[ /-]?\d)?").check(|text| { let all = digits(text); weighted(&all, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == nth(&all, 8) }).in_context()],
        &["Medicare «2123 45670 1»"], &["2123 45670 1", "medicare 2123 45671 1"]),
    national("nz_ird", "IRD", "a New Zealand tax number after a word that names it", &["ird", "inland revenue"],
        &[Shape::number(r"\d{2,3}-?\d{3}-?\d{3}").in_context()], &["IRD «49-091-850»"], &["49-091-850"]),
    national("sg_nric", "NRIC", "a Singapore identity number with its check letter", &["nric", "fin", "ic"],
        &[Shape::number(r"(?i:[STFGM]\d{7}[A-Z])").check(nric).sure(75, 95)],
        &["«S1234567D»", "FIN «G1234567X»"], &["S1234567A"]),
    national("sg_uen", "UEN", "a Singapore company's number after a word that names it", &["uen", "unique entity"],
        &[Shape::number(r"\d{8,9}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z]").in_context()], &["UEN «53125226D»"], &["53125226D"]),
    national("kr_rrn", "RRN", "a Korean resident number: a date, a century and a sex, in its own form or after a word that names it",
        &["rrn", "resident registration", "주민등록번호", "주민번호"],
        &[Shape::number(r"\d{6}-[1-8]\d{6}").check(korean).sure(80, 95), Shape::number(r"\d{6}[1-8]\d{6}").check(korean).in_context()],
        &["«960121-1234567»", "RRN «9601211234567»"], &["961321-1234567", "9601211234567"]),
    national("jp_my_number", "MY_NUMBER", "a Japanese individual number with its check digit, after a word that names it",
        &["my number", "mynumber", "マイナンバー", "個人番号"],
        &[Shape::number(r"\d{4}[ -]?\d{4}[ -]?\d{4}").check(my_number).in_context()],
        &["マイナンバーは «123456789018»", "My Number: «1234 5678 9018»"], &["123456789018", "my number 123456789010"]),
    national("cn_resident_id", "RESIDENT_ID", "a Chinese resident number with its check character", &["身份证", "resident id", "identity card"],
        &[Shape::number(r"[1-8]\d{5}(?:19|20)\d{9}[\dXx]").check(chinese)], &["«11010519491231002X»"], &["110105194912310021"]),
    national("tw_id", "TW_ID", "a Taiwanese identity number with its check digit, after a word that names it", &["身分證", "national id", "taiwan"],
        &[Shape::number(r"[A-Z][12]\d{8}").check(taiwanese).in_context()], &["national ID «A123456789»"], &["A123456789"]),
    national("th_id", "TH_ID", "a Thai identity number with its check digit: in its own form, or bare after a word that names it", &["thai", "บัตรประชาชน", "tnin", "national id", "citizen"],
        &[Shape::number(r"\d-\d{4}-\d{5}-\d{2}-\d").check(thai), Shape::number(r"[1-8]\d{12}").check(thai).in_context()],
        &["«1-1037-02071-81-1»"], &["1-1037-02071-81-2", "1103702071811"]),
    national("il_id", "IL_ID", "an Israeli identity number with its check digit, after a word that names it", &["teudat zehut", "israeli id", "תעודת זהות"],
        &[Shape::number(r"\d{9}").check(luhn).in_context()], &["teudat zehut «000000018»"], &["000000018"]),
    national("za_id", "ZA_ID", "a South African identity number: a date and a check digit, after a word that names it", &["south african id", "rsa id", "identity number", "id number", "sa id"],
        &[Shape::number(r"\d{10}[01][89]\d").check(|text| { let all = digits(text); is_day(2000, part(&all, 2, 4), part(&all, 4, 6)) && luhn(text) }).in_context()],
        &["ID number «8001015009087»"], &["8001015009087"]),
];

fn abn(text: &str) -> bool {
    let mut all = digits(text);
    let Some(first) = all.first_mut().filter(|first| **first > 0) else { return false };
    *first -= 1;
    all.len() == 11 && weighted(&all, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

fn nric(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let series = text.chars().next().unwrap_or_default();
    let offset = match series {
        'T' | 'G' => 4,
        'M' => 3,
        _ => 0,
    };
    let rest = (weighted(&digits(&text), &[2, 7, 6, 5, 4, 3, 2]) + offset) as usize % 11;
    let (letters, rest) = match series {
        'S' | 'T' => ("JZIHGFEDCBA", rest),
        'M' => ("KLJNPQRTUWX", 10 - rest),
        _ => ("XWUTRQPNMLK", rest),
    };
    letters.get(rest..=rest).is_some_and(|letter| text.ends_with(letter))
}

fn korean(text: &str) -> bool {
    let all = digits(text);
    all.len() == 13 && is_day(2000, part(&all, 2, 4), part(&all, 4, 6))
}

fn my_number(text: &str) -> bool {
    let all = digits(text);
    let rest = weighted(&all, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    all.len() == 12 && nth(&all, 11) == if rest < 2 { 0 } else { 11 - rest } && number(&all) > 0
}

/// GB 11643: ISO 7064 mod 11-2.
fn chinese(text: &str) -> bool {
    let all = digits(text.get(..17).unwrap_or_default());
    let rest = weighted(&all, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) as usize % 11;
    let is_date = is_day(part(&all, 6, 10), part(&all, 10, 12), part(&all, 12, 14));
    is_date && "10X98765432".get(rest..=rest).is_some_and(|check| text.to_ascii_uppercase().ends_with(check))
}

fn taiwanese(text: &str) -> bool {
    let text = compact(text);
    let Some(letter) = "ABCDEFGHJKLMNPQRSTUVXYWZIO".find(text.get(..1).unwrap_or("?")) else { return false };
    let letter = u32::try_from(letter).unwrap_or_default() + 10;
    (letter / 10 + letter % 10 * 9 + weighted(&digits(&text), &[8, 7, 6, 5, 4, 3, 2, 1, 1])).is_multiple_of(10)
}

fn thai(text: &str) -> bool {
    let all = digits(text);
    all.len() == 13 && (11 - weighted(&all, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == nth(&all, 12)
}

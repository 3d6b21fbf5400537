//! Texts without anything to find, of the kinds that prompts are full of.

use fastrand::Rng;

use super::values::{ALNUM, digits, of};

const PROSE: [&str; 12] = [
    "The committee met on Tuesday to discuss the budget for the coming year, and adjourned without a decision.",
    "Please summarise the following report in three bullet points and keep the tone neutral.",
    "Der Ausschuss tagte am Dienstag und vertagte die Entscheidung über den Haushalt auf das kommende Jahr.",
    "Le comité s'est réuni mardi pour discuter du budget de l'année à venir, sans prendre de décision.",
    "El comité se reunió el martes para discutir el presupuesto del próximo año y no tomó ninguna decisión.",
    "Komitet zebrał się we wtorek, aby omówić budżet na nadchodzący rok, i nie podjął żadnej decyzji.",
    "委员会周二开会讨论了来年的预算，但没有作出任何决定。",
    "委員会は火曜日に来年度の予算について話し合ったが、決定には至らなかった。",
    "In chapter 12 the author compares 1,250 households over 15 years (see table 3.4, p. 217).",
    "Call the function with three arguments and check that the return code is 0 before you continue.",
    "The licence allows any use; the passport to success is practice, and the account of it was vivid.",
    "Version 2.14.3 fixes the bug of issue 48213, introduced in 2.13.0 on 2023-11-05.",
];

/// One line of what is not personal data.
fn line(rng: &mut Rng) -> String {
    let hex = |rng: &mut Rng, count| of(rng, "0123456789abcdef", count);
    match rng.u8(0..26) {
        0..=6 => (*rng.choice(&PROSE).unwrap()).to_owned(),
        7 => format!("request id {}-{}-4{}-a{}-{}", hex(rng, 8), hex(rng, 4), hex(rng, 3), hex(rng, 3), hex(rng, 12)),
        8 => format!("commit {} Merge branch 'main' into feature/{}", hex(rng, 40), hex(rng, 6)),
        9 => format!("sha256:{} size={}", hex(rng, 64), rng.u32(..)),
        10 => format!(
            "2024-{:02}-{:02}T{:02}:{:02}:{:02}.{}Z INFO worker-{} handled job in {}.{} ms",
            rng.u8(1..13),
            rng.u8(1..29),
            rng.u8(0..24),
            rng.u8(0..60),
            rng.u8(0..60),
            digits(rng, 6),
            rng.u8(..),
            rng.u16(..),
            rng.u8(..)
        ),
        11 => format!(
            "{{\"ts\": {}, \"level\": \"info\", \"msg\": \"ok\", \"bytes\": {}}}",
            1_700_000_000_000_u64 + rng.u64(0..90_000_000_000),
            rng.u32(..)
        ),
        12 => {
            format!("order {} shipped, tracking {}, invoice INV-{}", digits(rng, 10), digits(rng, 12), digits(rng, 8))
        }
        13 => of(rng, &format!("{ALNUM}+/"), 76),
        14 => format!(
            "    let total_{} = items.iter().map(|item| item.price * {}).sum::<u64>();",
            rng.u8(..),
            rng.u16(..)
        ),
        15 => format!(
            "def handle_{}(self, request: Request, timeout: float = {}.{}) -> Response:",
            rng.u8(..),
            rng.u8(..),
            rng.u8(..)
        ),
        16 => format!(
            "import {{ useState }} from 'react@18.{}.{}'; const x = arr[{}];",
            rng.u8(..),
            rng.u8(..),
            rng.u16(..)
        ),
        17 => {
            format!("pi = 3.{}, e = 2.{}, 1/{} = 0.{}", digits(rng, 15), digits(rng, 12), rng.u16(1..), digits(rng, 16))
        }
        18 => {
            format!("| {} | {} | {}.{} | {}% |", rng.u32(..), rng.u16(..), rng.u16(..), digits(rng, 2), rng.u8(0..100))
        }
        19 => format!(
            "{},{},{},{}.{},{}",
            rng.u32(..),
            rng.u32(..),
            digits(rng, 9),
            rng.u16(..),
            digits(rng, 4),
            digits(rng, 7)
        ),
        20 => format!(
            "GET /api/v2/items/{}?page={}&limit=50 HTTP/1.1 200 {} \"Mozilla/5.0 Chrome/{}.0.{}.{}\"",
            digits(rng, 9),
            rng.u8(..),
            rng.u16(..),
            rng.u8(90..130),
            rng.u16(1000..7000),
            rng.u8(..)
        ),
        21 => format!(
            "error[E{:04}]: mismatched types at src/main.rs:{}:{}",
            rng.u16(0..999),
            rng.u16(1..999),
            rng.u8(1..)
        ),
        22 => format!("| 0x{:08x} | {} {} {} {} |", rng.u32(..), hex(rng, 4), hex(rng, 4), hex(rng, 4), hex(rng, 4)),
        23 => format!(
            "ISBN 978-{}-{}-{}-{}, pp. {}-{}, doi:10.{}/{}",
            rng.u8(0..9),
            digits(rng, 3),
            digits(rng, 5),
            rng.u8(0..9),
            rng.u16(1..400),
            rng.u16(400..900),
            digits(rng, 4),
            hex(rng, 8)
        ),
        24 => format!("span_id={} trace_id={} seq={}", hex(rng, 16), hex(rng, 32), digits(rng, 19)),
        _ => format!(
            "pod/web-{}-{} image registry.k8s.io/app:v{}.{}.{} uid {}",
            hex(rng, 9),
            of(rng, "bcdfghjklmnpqrstvwxz2456789", 5),
            rng.u8(0..9),
            rng.u8(0..30),
            rng.u8(0..30),
            digits(rng, 10)
        ),
    }
}

/// Numbers that are written like telephone numbers and other kinds, and are none.
pub fn alike(rng: &mut Rng) -> String {
    let number = |rng: &mut Rng, count: usize| format!("{}{}", rng.u8(1..10), digits(rng, count - 1));
    match rng.u8(0..16) {
        0 => format!("order {}", number(rng, 10)),
        1 => format!("invoice no. {}-{}-{}", number(rng, 3), number(rng, 3), number(rng, 4)),
        2 => format!("version {}.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u16(..), rng.u8(..)),
        3 => {
            format!("2024-0{}-1{} 0{}:{}:{}", rng.u8(1..9), rng.u8(0..9), rng.u8(0..9), rng.u8(10..60), rng.u8(10..60))
        }
        4 => format!("at {} the job began", 1_700_000_000 + rng.u32(0..90_000_000)),
        5 => format!("user id {}", number(rng, 9)),
        6 => format!("tracking number {}", number(rng, 12)),
        7 => format!("revenue of {} {} {} units", number(rng, 3), number(rng, 3), number(rng, 3)),
        8 => format!("part {}-{}", number(rng, 5), number(rng, 5)),
        9 => format!("ISBN {}-{}-{}-{}", number(rng, 3), rng.u8(0..9), number(rng, 6), number(rng, 2)),
        10 => format!("{} of {} rows, {} bytes", number(rng, 7), number(rng, 8), number(rng, 10)),
        11 => format!("coordinates {}.{}, {}.{}", rng.u8(1..90), digits(rng, 6), rng.u8(1..180), digits(rng, 6)),
        12 => format!("ticket #{} was closed", number(rng, 8)),
        13 => format!("lot {}/{}", number(rng, 4), number(rng, 6)),
        14 => format!("serial {} {} {}", number(rng, 4), number(rng, 4), number(rng, 4)),
        _ => format!("pages {}-{}, doi 10.{}/{}", number(rng, 3), number(rng, 3), number(rng, 4), number(rng, 7)),
    }
}

/// At least `bytes` bytes of such lines.
pub fn clean(seed: u64, bytes: usize) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut text = String::with_capacity(bytes + 200);
    while text.len() < bytes {
        text.push_str(&line(&mut rng));
        text.push('\n');
    }
    text
}

/// A short text of prose, near misses, odd characters and values.
pub fn mixed(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(1..7) {
        let piece = match rng.u8(0..8) {
            0..=3 => {
                let (_, before, value) = super::values::labelled(rng);
                format!("{before}{value}")
            }
            4 => {
                let (_, before, value) = super::values::labelled(rng);
                let cut = value.char_indices().map(|(at, _)| at).nth(rng.usize(0..value.len().max(1))).unwrap_or(0);
                format!("{before}{}", &value[..cut])
            }
            5 => line(rng),
            6 => (*rng
                .choice(&[
                    "ünïcödé 😀",
                    "４１１１",
                    "\u{200b}\u{200d}x",
                    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\nabcd==\n-----END PRIVATE KEY-----",
                    "\"quoted\\n\" {\"a\": 1}",
                    "👩‍💻",
                    "::",
                    "\n\n",
                    "<EMAIL_1_abcdef>",
                    "ssn",
                    r"\n",
                    r"\u003c",
                    r"\u00",
                    "\\",
                    "jo%40example.com",
                ])
                .unwrap())
            .to_owned(),
            _ => digits(rng, 14),
        };
        text.push_str(&piece);
        text.push_str(
            rng.choice(&[" ", ", ", ".", "\n", "\" ", "", ": ", "\u{200b}", "\u{a0}", r"\n", r"\u003e"]).unwrap(),
        );
    }
    text
}

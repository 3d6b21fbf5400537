//! Secrets by their form or by the name they are given to.

use crate::steps::redact::checks::entropy;
use crate::steps::redact::kind::Profile::{Default, Secrets};
use crate::steps::redact::kind::{Edge, Kind, Shape};

pub const KINDS: &[Kind] = &[
    Kind {
        name: "private_key",
        label: "PRIVATE_KEY",
        says: "a private key in PEM or PGP armour",
        profiles: &[Default, Secrets],
        near: &[],
        unless: &[],
        shapes: &[Shape::new(
            r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:(?:\r|\n|\\r|\\n){1,4}[A-Za-z0-9+/=:, -]| [A-Za-z0-9+/=])[A-Za-z0-9+/=:,-]{8}",
        )
        .edge(Edge::Begin)
        .tail(PEM_TAIL)],
        examples: &["«-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1c7\nab+/12==\n-----END RSA PRIVATE KEY-----» ok", "\"«-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w\\nabc=\\n-----END PRIVATE KEY-----»\\n\""],
        counters: &["-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA1c7\n-----END PUBLIC KEY-----", "a file with -----BEGIN PRIVATE KEY----- in it"],
    },
    Kind {
        name: "jwt",
        label: "JWT",
        says: "a JSON web token",
        profiles: &[Default, Secrets],
        near: &[],
        unless: &[],
        shapes: &[Shape::new(r"eyJ[A-Za-z0-9_-]{10,400}\.(?:eyJ)?[A-Za-z0-9_-]{10}").tail(r"[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,3}")],
        examples: &["Bearer «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U»."],
        counters: &["eyJhbGciOiJIUzI1NiJ9", "eyJ.eyJ.x"],
    },
    Kind {
        name: "assigned_secret",
        label: "SECRET",
        says: "a value with the looks of a secret that is given to a name such as `password`, `token` or `api_key`",
        profiles: &[Default, Secrets],
        near: &[
            "password", "passwd", "pwd", "passphrase", "secret", "token", "api key", "apikey", "access key", "secret key", "private key", "auth key",
            "client secret", "account key", "signing key", "encryption key", "credential", "bearer", "passwort", "kennwort", "contraseña", "mot de passe", "encryption secret", "master key",
        ],
        unless: &[],
        shapes: &[Shape::new(r"[A-Za-z0-9+/_=!@#$%^&*.~-]{8,64}").edge(Edge::Free).check(secretive).keyed().tail(r"[A-Za-z0-9+/_=!@#$%^&*~-]*")],
        examples: &["password = \"«hunter2-Xyz!»\"", "\"api_key\": \"«9f8a7b6c5d4e3f2a1b0c»\"", "DB_PASSWORD='«c0rrect-h0rse»'", "Authorization: Bearer «aB3dE5fG7hI9jK1l»"],
        counters: &["password = getpass()", "token: string", "secret = os.environ", "password: ********", "max_tokens: 12345678", "api_key = YOUR_API_KEY_HERE", "token = response.token1", "TOKEN_END: D3DVSD_TOKENTYPE", "credentials = client.OAuth2Credentials"],
    },
];

/// The rest of the first line and of the headers, the lines of base64, and the line that ends it.
const PEM_TAIL: &str = r"(?:(?:[A-Za-z0-9 ,.()/:+=]|-[A-Za-z0-9 ,])*(?:\r|\n|\\r|\\n)+)?(?:(?:[A-Za-z][A-Za-z-]*: [A-Za-z0-9 ,.()/:-]*|[A-Za-z0-9+/=]*)(?:\r|\n|\\r|\\n)+)*(?:[A-Za-z0-9+/= ]*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=]*)";

/// Letters with digits or signs, no name of something that holds the secret.
fn secretive(text: &str) -> bool {
    let has = |is: fn(&u8) -> bool| u8::from(text.as_bytes().iter().any(is));
    let mixture = has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation);
    let has_digit = has(u8::is_ascii_digit) == 1;
    let lower = text.to_ascii_lowercase();
    let is_stand_in = [
        "example",
        "your",
        "changeme",
        "placeholder",
        "xxxx",
        "****",
        "process.env",
        "os.environ",
        "config.",
        "self.",
        "this.",
        "settings.",
        "${",
        "secrets.",
        "vault",
        "response.",
        "request.",
        "options.",
        "env.",
        "params.",
        "args.",
    ]
    .iter()
    .any(|sign| lower.contains(sign));
    let is_path = lower.starts_with(['.', '/', '$', '%', '&', '*', '#'])
        || lower.starts_with("http")
        || lower.ends_with('.')
        || lower.contains("--");
    let is_plain_number = text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'-'));
    !is_stand_in && !is_path && !is_plain_number && !is_name(text) && mixture >= 2 && has_digit && entropy(text) >= 2.8
}

/// What programs call something: words with `_` or `.` between them, and hardly a digit.
fn is_name(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.'));
    if digits > 2 || !is_plain {
        return false;
    }
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    let is_one_case = !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase));
    let is_member = text.split('.').all(|part| part.len() > 2 && part.starts_with(|c: char| c.is_ascii_alphabetic()));
    (text.contains('_') && is_one_case) || (text.contains('.') && is_member)
}

//! The laws of the wire, as what must hold of any bytes.

use bytestring::ByteString;
use serde_json::Value;
use tidegate::base::json::{Kind, Reader};
use tidegate::chat::Losses;
use tidegate::dialect::{ALL, Dialect, Quirks};

pub mod mutate;
pub mod redact;
#[path = "../../laws/tell.rs"]
pub mod tell;

/// A target that takes everything as it is and must be asked for nothing.
pub const EASY: Quirks = Quirks {
    max_completion_tokens: true,
    stream_options: false,
    developer_role: true,
    json_schema: true,
    default_max_tokens: 0,
};

/// Law 1 for a request: what can be read is written as it was, reads the same again, and can be written in
/// every dialect.
pub fn request(dialect: &dyn Dialect, data: &[u8]) {
    let Some(body) = text(data) else { return };
    let Ok(read) = dialect.read_request(&body) else { return };
    for other in ALL {
        let written = other.write_request(&read, &Quirks::default(), &mut Losses::default());
        assert!(json(&written).is_some(), "not JSON: {}", String::from_utf8_lossy(&written));
    }
    let Some(value) = comparable(&body) else { return };
    let mut losses = Losses::default();
    let written = dialect.write_request(&read, &EASY, &mut losses);
    assert_eq!(json(&written), Some(value));
    assert!(losses.is_empty(), "{losses:?}");
    let again = dialect.read_request(&text(&written).unwrap()).unwrap();
    let twice = dialect.write_request(&again, &EASY, &mut losses);
    assert_eq!(again.params, read.params);
    assert_eq!(twice, written);
}

/// Law 1 for a whole answer.
pub fn answer(dialect: &dyn Dialect, data: &[u8]) {
    let Some(body) = text(data) else { return };
    let _ = dialect.read_failure(500, body.as_bytes());
    let Ok(read) = dialect.read_completion(&body) else { return };
    for other in ALL {
        let written = other.write_completion(&read, &mut Losses::default());
        assert!(json(&written).is_some(), "not JSON: {}", String::from_utf8_lossy(&written));
    }
    let Some(value) = comparable(&body) else { return };
    let mut losses = Losses::default();
    let written = dialect.write_completion(&read, &mut losses);
    assert_eq!(json(&written), Some(value));
    assert!(losses.is_empty(), "{losses:?}");
    let again = dialect.read_completion(&text(&written).unwrap()).unwrap();
    assert_eq!(again.usage, read.usage);
    assert_eq!(dialect.write_completion(&again, &mut losses), written);
}

/// Law 3 for a streamed answer: however it is cut, it tells the same, and leaves as the same bytes in every
/// dialect. And what is written is a stream that can be read.
pub fn stream(dialect: &dyn Dialect, data: &[u8]) {
    let whole = tell::read(dialect, [data]);
    let lines = whole.lines();
    let touched: Vec<_> = ALL.iter().map(|other| tell::write(*other, &whole.touched())).collect();
    for (other, written) in ALL.iter().zip(&touched) {
        tell::write(*other, &whole.frames);
        let again = tell::read(*other, [&**written]);
        assert!(!again.end.starts_with("malformed"), "{} of {}", again.end, String::from_utf8_lossy(written));
    }
    for pieces in cuts(data) {
        let cut = tell::read(dialect, pieces.iter().copied());
        assert_eq!(cut.lines(), lines, "cut into {} pieces", pieces.len());
        for (other, written) in ALL.iter().zip(&touched) {
            assert_eq!(tell::write(*other, &cut.touched()), *written);
        }
    }
}

/// Some ways to cut these bytes: each in a piece of its own, and a few at places that hang on the bytes.
pub fn cuts(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut seed = data
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mut ways = vec![data.chunks(1).collect()];
    for longest in [3, 17, 200] {
        let (mut pieces, mut rest) = (Vec::new(), data);
        while !rest.is_empty() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (piece, after) = rest.split_at(rest.len().min((seed >> 33) as usize % longest));
            pieces.push(piece);
            rest = after;
        }
        ways.push(pieces);
    }
    ways
}

pub fn text(data: &[u8]) -> Option<ByteString> {
    ByteString::try_from(data).ok()
}

pub fn json(bytes: &[u8]) -> Option<Value> {
    // Numbers may be larger than serde_json can hold, and are still JSON.
    match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Ok(_) => Some(plain(serde_json::from_slice(bytes).unwrap_or(Value::Null))),
        Err(_) => None,
    }
}

/// The value of a document, if it has but one: a name that stands twice in an object has no agreed meaning,
/// and serde_json refuses lone surrogates and numbers beyond those of `f64`.
fn comparable(body: &ByteString) -> Option<Value> {
    let has_twins = has_twins(&mut Reader::new(body))?;
    // A dotted name could be meant for a field of an inner object; dialects document this.
    let is_dotted = ["function.", "response_format.", "message.", "image_url.", "input_audio.", "file."]
        .iter()
        .any(|dotted| body.contains(dotted));
    if has_twins || is_dotted || body.contains("\\u") {
        return None;
    }
    serde_json::from_str(body).ok().map(plain)
}

/// The same value with every whole number written as one: an index of `1e3` may leave as `1000`.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 2f64.powi(53) => Value::from(float as i64),
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => members.into_iter().map(|(key, member)| (key, plain(member))).collect(),
        other => other,
    }
}

fn has_twins(reader: &mut Reader<'_>) -> Option<bool> {
    let mut found = false;
    match reader.peek().ok()? {
        Kind::Object => {
            let mut keys = std::collections::HashSet::new();
            reader
                .object(|reader, key| {
                    found |= !keys.insert(key.to_owned());
                    found |= has_twins(reader).unwrap_or(false);
                    Ok(())
                })
                .ok()?;
        }
        Kind::Array => reader
            .array(|reader, _| {
                found |= has_twins(reader).unwrap_or(false);
                Ok(())
            })
            .ok()?,
        _ => reader.skip().ok()?,
    }
    Some(found)
}

//! The simulator's embeddings: vectors in which texts that share words lie near each other.
//!
//! Each word, in lower case, adds to one coordinate that its hash picks, with a sign that its hash picks
//! too; the vector is then scaled to length 1. That is no model of meaning, but the nearest of several
//! texts is the one a person would expect to be nearest.
//!
//! Shapes after <https://platform.openai.com/docs/api-reference/embeddings>.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::provider::simulator::ask::{self, Complaint, string};
use crate::provider::simulator::tokens;

const DIMENSIONS: u64 = 256;
const MOST_DIMENSIONS: u64 = 3072;
const MOST_INPUTS: usize = 2048;

/// The answer to a request for embeddings.
pub(super) fn answer(body: &Value) -> Result<Value, Complaint> {
    let model = ask::model(body)?;
    let dimensions = ask::limit(body, "dimensions")?.unwrap_or(DIMENSIONS);
    if dimensions > MOST_DIMENSIONS {
        return Err(Complaint::wrong("dimensions", "no more than 3072 are possible"));
    }
    let inputs = inputs(body.get("input"))?;
    let is_base64 = string(body, "encoding_format") == Some("base64");
    let data = inputs.iter().enumerate().map(|(index, text)| {
        let vector = vector(text, dimensions as usize);
        let embedding = if is_base64 { encoded(&vector) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let data: Vec<_> = data.collect();
    let tokens: u64 = inputs.iter().map(|text| tokens::count(text)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(json!({"object": "list", "data": data, "model": model, "usage": usage}))
}

/// The texts to embed. Tokens, which clients may send instead, are taken as words.
fn inputs(input: Option<&Value>) -> Result<Vec<String>, Complaint> {
    let words = |tokens: &[Value]| tokens.iter().map(Value::to_string).collect::<Vec<_>>().join(" ");
    let inputs = match input {
        None | Some(Value::Null) => return Err(Complaint::missing("input")),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => ask::strings(input),
        Some(Value::Array(many)) if many.iter().all(Value::is_u64) => vec![words(many)],
        Some(Value::Array(many)) if many.iter().all(Value::is_array) => {
            many.iter().filter_map(Value::as_array).map(|tokens| words(tokens)).collect()
        }
        Some(_) => return Err(Complaint::wrong("input", "a string or a list of strings is required")),
    };
    if inputs.is_empty() || inputs.len() > MOST_INPUTS || inputs.iter().any(String::is_empty) {
        return Err(Complaint::wrong("input", "1 to 2048 texts are required, none of them empty"));
    }
    Ok(inputs)
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let [a, b, c, sign, ..]: [u8; 32] = Sha256::digest(word.to_lowercase()).into();
        let place = u32::from_le_bytes([a, b, c, 0]) as usize % dimensions;
        if let Some(coordinate) = vector.get_mut(place) {
            *coordinate += if sign < 128 { 1.0 } else { -1.0 };
        }
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    } else if let Some(first) = vector.first_mut() {
        // A text without words still needs a vector that has a direction.
        *first = 1.0;
    }
    vector
}

fn encoded(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &str, b: &str) -> f32 {
        vector(a, 256).iter().zip(vector(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn texts_that_share_words_are_nearer_than_those_that_do_not() {
        assert!((dot("How do I reset my password?", "how do i reset my PASSWORD") - 1.0).abs() < 1e-5);
        assert!(dot("reset my password", "reset the password") > dot("reset my password", "weather in Paris"));
        assert!((dot("!?", "") - 1.0).abs() < 1e-6);
    }

    #[test]
    fn both_encodings_hold_the_same_numbers() {
        let ask =
            |format: &str| json!({"model": "m", "input": ["hi there"], "dimensions": 4, "encoding_format": format});
        let floats = answer(&ask("float")).unwrap();
        let base64 = answer(&ask("base64")).unwrap();
        let bytes = BASE64_STANDARD.decode(base64["data"][0]["embedding"].as_str().unwrap()).unwrap();
        let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes.len(), 16);
        assert!((f64::from(first) - floats["data"][0]["embedding"][0].as_f64().unwrap()).abs() < 1e-6);
        assert_eq!(floats["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    }

    #[test]
    fn an_input_that_is_no_text_is_refused() {
        for input in [json!(null), json!(7), json!([]), json!([""]), json!(["a", 1]), json!({})] {
            assert!(answer(&json!({"model": "m", "input": input})).is_err());
        }
        assert_eq!(
            answer(&json!({"model": "m", "input": [[1, 2], [3]]})).unwrap()["data"].as_array().unwrap().len(),
            2
        );
    }
}

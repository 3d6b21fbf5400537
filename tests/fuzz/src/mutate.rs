//! Changes to JSON that leave it JSON.
//!
//! Bytes changed at random are hardly ever a document, and never get past a reader's first lines. Here a value
//! is taken out, put elsewhere or replaced, with names and words the dialects know; one time in four the bytes
//! are changed as libFuzzer does it.

use fastrand::Rng;
use serde_json::Value;

const WORDS: &str = "adaptive any arguments assistant auto base64 budget_tokens cache_control caller choices \
    citations completion_tokens content content_block created custom data delta description detail developer \
    disabled effort enabled end_turn error event file file_data file_id filename finish_reason format function \
    function_call id image image_url index input input_audio input_json_delta input_schema input_tokens is_error \
    json_object json_schema length logprobs max_completion_tokens max_tokens media_type message message_delta \
    message_start message_stop messages metadata model n name none object output_config output_tokens \
    parallel_tool_calls parameters partial_json prompt_tokens reasoning reasoning.text reasoning_content \
    reasoning_details reasoning_effort redacted_thinking refusal required response_format role schema seed \
    signature signature_delta source stop stop_reason stop_sequence stop_sequences stream stream_options strict \
    summary system temperature text text_delta thinking thinking_delta title tool tool_call_id tool_calls \
    tool_choice tool_result tool_use tool_use_id tools top_k top_p total_tokens type url usage user user_id";

/// Changes a document in place, and says how long it is then.
pub fn json(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut rng = Rng::with_seed(seed.into());
    let document = data.get(..size).and_then(|bytes| serde_json::from_slice(bytes).ok());
    let Some(mut document) = document.filter(|_| rng.u8(..4) > 0) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    for _ in 0..rng.u8(1..4) {
        change(&mut document, &mut rng);
    }
    put(data, max_size, document.to_string().as_bytes()).unwrap_or(size)
}

/// Changes one of the documents in the `data:` lines of a stream.
pub fn stream(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut rng = Rng::with_seed(seed.into());
    let text = data.get(..size).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let Some(text) = text.filter(|_| rng.u8(..4) > 0) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let documents = lines.iter_mut().filter(|line| line.starts_with("data: {"));
    let Some(line) = rng.choice(documents.collect::<Vec<_>>()) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    if let Ok(mut document) = serde_json::from_str(line.trim_start_matches("data: ")) {
        change(&mut document, &mut rng);
        *line = format!("data: {document}\n");
    }
    put(data, max_size, lines.concat().as_bytes()).unwrap_or(size)
}

fn put(data: &mut [u8], max_size: usize, written: &[u8]) -> Option<usize> {
    data.get_mut(..written.len()).filter(|_| written.len() <= max_size)?.copy_from_slice(written);
    Some(written.len())
}

fn change(document: &mut Value, rng: &mut Rng) {
    let count = count(document);
    let mut taken = rng.usize(..count);
    let copy = node(document, &mut taken).cloned().unwrap_or_default();
    let mut place = rng.usize(..count);
    let Some(place) = node(document, &mut place) else { return };
    match (rng.u8(..8), place) {
        (0, Value::Object(members)) => drop(members.insert(word(rng), copy)),
        (1, Value::Object(members)) if !members.is_empty() => {
            let key = members.keys().nth(rng.usize(..members.len())).cloned().unwrap_or_default();
            let value = members.shift_remove(&key).unwrap_or_default();
            if rng.bool() {
                members.insert(word(rng), value);
            }
        }
        (0 | 2, Value::Array(items)) => items.push(copy),
        (1, Value::Array(items)) => drop(items.pop()),
        (3, place) => *place = Value::Array(vec![place.take()]),
        (4 | 5, place) => *place = copy,
        (6, place) => *place = word(rng).into(),
        (_, place) => *place = plain(rng),
    }
}

fn plain(rng: &mut Rng) -> Value {
    let values = [
        r#"null"#,
        "true",
        "false",
        "0",
        "1",
        "-1.5",
        "1e3",
        "18446744073709551615",
        r#""""#,
        r#""é\n\"""#,
        "[]",
        "{}",
    ];
    rng.choice(values).and_then(|value| serde_json::from_str(value).ok()).unwrap_or_default()
}

fn word(rng: &mut Rng) -> String {
    rng.choice(WORDS.split_whitespace().collect::<Vec<_>>()).unwrap_or_default().to_owned()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value that is `left` steps on, counted through the document.
fn node<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| node(item, left)),
        Value::Object(members) => members.values_mut().find_map(|member| node(member, left)),
        _ => None,
    }
}

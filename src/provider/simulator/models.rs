//! The simulator's list of models. Any other name works as well; these are the ones that do something special.

use http::HeaderMap;
use serde_json::{Value, json};

use crate::provider::simulator::script::MODELS;
use crate::provider::simulator::voice::CREATED;

/// The list, in Anthropic's shape when the request says it speaks that, else in OpenAI's.
pub(super) fn list(headers: &HeaderMap) -> Value {
    let names = || std::iter::once("sim").chain(MODELS);
    if headers.contains_key("anthropic-version") {
        let model = |id| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"});
        let data: Vec<_> = names().map(model).collect();
        return json!({"data": data, "has_more": false, "first_id": "sim", "last_id": names().last()});
    }
    let model = |id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "simulator"});
    json!({"object": "list", "data": names().map(model).collect::<Vec<_>>()})
}

//! The JSON Schema of the files, for editors.
//!
//! It knows the form of each field, not whether names exist; that is for `tidegate check`.

use serde_json::Value;

use super::document::{GatewayDoc, PolicyDoc};

/// The schema of a gateway file.
pub fn gateway() -> Value {
    schemars::schema_for!(GatewayDoc).to_value()
}

/// The schema of a policy file.
pub fn policy() -> Value {
    schemars::schema_for!(PolicyDoc).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_the_fields_and_allows_no_others() {
        let schema = gateway();
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["properties"]["providers"]["additionalProperties"]["$ref"].is_string());
        assert_eq!(schema["$defs"]["PriceDoc"]["properties"].as_object().map(|fields| fields.len()), Some(2));
        let policy = policy();
        assert!(policy["properties"]["for"].is_object());
        assert_eq!(policy["required"], serde_json::json!(["policy"]));
        assert!(policy["$defs"]["RouteMap"]["properties"]["fallback"].is_object());
    }
}

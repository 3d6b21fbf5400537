//! A plugin's configuration, held against the schema that the plugin itself gives.

use serde_json::Value;

/// # Errors
/// What is wrong, each with the path to it, or that the schema is none.
pub fn check(config: &Value, schema: Option<&str>) -> Result<(), String> {
    let Some(schema) = schema else {
        let is_empty = config.as_object().is_some_and(serde_json::Map::is_empty);
        return if is_empty { Ok(()) } else { Err("it takes no configuration; leave `config` out".into()) };
    };
    let schema: Value = serde_json::from_str(schema).map_err(|_| "its own schema is not JSON".to_owned())?;
    // References lead nowhere outside of the schema: nothing here fetches any.
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| format!("its own schema is of no use: {error}"))?;
    let wrong: Vec<_> = validator
        .iter_errors(config)
        .take(MOST)
        .map(|error| {
            let path = error.instance_path().to_string().replace('/', ".");
            format!("`config{path}`: {error}")
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// Mistakes that are told at a time.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{"formal":{"type":"boolean"}},"additionalProperties":false}"#;

    #[test]
    fn each_mistake_is_told_with_its_path() {
        assert_eq!(check(&json!({ "formal": true }), Some(SCHEMA)), Ok(()));
        let wrong = check(&json!({ "formal": "yes" }), Some(SCHEMA)).unwrap_err();
        assert_eq!(wrong, r#"`config.formal`: "yes" is not of type "boolean""#);
    }

    #[test]
    fn a_plugin_without_a_schema_takes_nothing() {
        assert_eq!(check(&json!({}), None), Ok(()));
        assert!(check(&json!({ "a": 1 }), None).is_err());
    }

    #[test]
    fn a_schema_leads_nowhere_outside() {
        let schema = r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#;
        assert!(check(&json!({}), Some(schema)).unwrap_err().contains("of no use"));
    }
}

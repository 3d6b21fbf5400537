//! A request's answers to a condition, each computed when it is asked for.

use std::sync::Arc;

use cel::Value;
use cel::common::types::{CelBool, CelInt, CelNull, CelString};
use cel::common::value::Val;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::vocabulary::HEADER_VARIABLE;
use crate::auth::Caller;
use crate::pipeline::facts::Facts;

/// What a request answers to one of the names that conditions may ask for.
pub(super) fn answer<'a>(facts: &'a dyn Facts, name: &str) -> Option<Box<dyn Val + 'a>> {
    if let Some(header) = name.strip_prefix(HEADER_VARIABLE) {
        return Some(text_or_null(facts.header(header)));
    }
    match name.split_once('.')? {
        ("caller", member) => of_caller(facts.caller(), member),
        ("request", member) => of_request(facts, member),
        ("time", member) => of_time(facts, member),
        _ => None,
    }
}

fn of_caller<'a>(caller: &'a Caller, member: &str) -> Option<Box<dyn Val + 'a>> {
    Some(match member {
        "key" => text_or_null(caller.key.as_ref().map(|key| key.as_str())),
        "team" => text_or_null(caller.team.as_deref()),
        "user" => text_or_null(caller.user.as_deref()),
        "session" => text_or_null(caller.session.as_deref()),
        "tags" => {
            let tags: Vec<Value> = caller.tags.iter().map(|tag| text(tag)).collect();
            return of_value(tags.into());
        }
        "claims" => {
            let claims = caller.claims.as_deref().cloned().unwrap_or_default();
            return of_value(of_json(&serde_json::Value::Object(claims)));
        }
        _ => return None,
    })
}

fn of_request<'a>(facts: &'a dyn Facts, member: &str) -> Option<Box<dyn Val + 'a>> {
    Some(match member {
        "model" => text_or_null(Some(facts.model())),
        "endpoint" => text_or_null(Some(facts.endpoint().name())),
        "dialect" => text_or_null(facts.dialect().map(|dialect| dialect.0)),
        "stream" => Box::new(CelBool::from(facts.is_stream())),
        "input_tokens" => number(facts.input_tokens()),
        "max_tokens" => facts.max_tokens().map_or_else(null, number),
        "has_tools" => Box::new(CelBool::from(facts.has_tools())),
        "tags" => {
            let tags: Vec<Value> = facts.tags().iter().map(|tag| text(tag)).collect();
            return of_value(tags.into());
        }
        "has_images" => Box::new(CelBool::from(facts.has_images())),
        _ => return None,
    })
}

/// In UTC, so that every replica says the same.
fn of_time<'a>(facts: &'a dyn Facts, member: &str) -> Option<Box<dyn Val + 'a>> {
    let now = facts.now();
    let utc: Zoned = now.to_zoned(TimeZone::UTC);
    let int = |n: i64| Box::new(CelInt::from(n));
    Some(match member {
        "hour" => int(utc.hour().into()),
        "minute" => int(utc.minute().into()),
        "weekday" => int(utc.weekday().to_sunday_zero_offset().into()),
        "date" => Box::new(CelString::from(utc.date().to_string())),
        "unix" => int(now.as_second()),
        _ => return None,
    })
}

fn text_or_null(text: Option<&str>) -> Box<dyn Val + '_> {
    match text {
        Some(text) => Box::new(CelString::from(text)),
        None => null(),
    }
}

fn null<'a>() -> Box<dyn Val + 'a> {
    Box::new(CelNull)
}

fn number<'a>(value: u64) -> Box<dyn Val + 'a> {
    Box::new(CelInt::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn of_value<'a>(value: Value) -> Option<Box<dyn Val + 'a>> {
    let value: Box<dyn Val> = value.try_into().ok()?;
    Some(value)
}

fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(value) => text(value),
        serde_json::Value::Array(items) => items.iter().map(of_json).collect::<Vec<_>>().into(),
        serde_json::Value::Object(entries) => {
            let entries: std::collections::HashMap<String, Value> =
                entries.iter().map(|(key, value)| (key.clone(), of_json(value))).collect();
            entries.into()
        }
    }
}

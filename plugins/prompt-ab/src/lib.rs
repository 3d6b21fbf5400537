//! Puts a prompt before requests: a template, or one of several variants, each for its share of the callers.
//!
//! Who gets which variant hangs on who asks, so that a caller who is known gets the same each time; the variant is a tag
//! of the request, and so in the decision log.

use tidegate_plugin::prelude::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    variants: Vec<Variant>,
    /// Whose requests get the same variant.
    #[serde(default)]
    per: Per,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    /// Its share, next to the others'.
    #[serde(default = "one")]
    weight: u32,
    /// What is put before the request. `{team}`, `{user}`, `{model}` and `{header.NAME}` stand for what they say.
    prompt: String,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Per {
    #[default]
    User,
    Team,
    Request,
}

struct PromptAb(Config);

impl Plugin for PromptAb {
    type Config = Config;

    fn about() -> About {
        about!("puts a prompt before requests, of several variants by share").config::<Config>().needs("request.text")
    }

    fn new(config: Config) -> Result<Self, Failure> {
        if config.variants.iter().all(|variant| variant.weight == 0) {
            return Err(Failure::Config("no variant has a weight".into()));
        }
        for variant in &config.variants {
            check(variant)?;
        }
        Ok(Self(config))
    }
}

impl OnRequest for PromptAb {
    fn on_request(&self, cx: &Context, request: &ChatRequest) -> Result<Outcome, Failure> {
        let Some(variant) = self.variant_for(cx) else { return Ok(Outcome::pass()) };
        let prompt = filled(&variant.prompt, |name| value(name, cx, request));
        let message = Message::text(Role::System, prompt);
        Ok(Outcome::pass().insert(0, message).tag("variant", variant.name.clone()))
    }
}

impl PromptAb {
    /// `None` only where there are no variants, which `new` refuses.
    fn variant_for(&self, cx: &Context) -> Option<&Variant> {
        let who = match self.0.per {
            Per::User => cx.user.as_ref().or(cx.key.as_ref()),
            Per::Team => cx.team.as_ref(),
            Per::Request => None,
        };
        let all: u64 = self.0.variants.iter().map(|variant| u64::from(variant.weight)).sum();
        let mut drawn = hash(who.unwrap_or(&cx.request_id)) % all.max(1);
        self.0.variants.iter().find(|variant| {
            let weight = u64::from(variant.weight);
            let is_drawn = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_drawn
        })
    }
}

/// A template can only name what there is.
fn check(variant: &Variant) -> Result<(), Failure> {
    let mut unknown = None;
    filled(&variant.prompt, |name| {
        let is_known = matches!(name, "team" | "user" | "model") || name.starts_with("header.");
        unknown = unknown.take().or_else(|| (!is_known).then(|| name.to_owned()));
        String::new()
    });
    let known = "there are `{team}`, `{user}`, `{model}`, `{header.NAME}`";
    match unknown {
        Some(name) => Err(Failure::Config(format!("variant `{}` names `{{{name}}}`; {known}", variant.name))),
        None => Ok(()),
    }
}

/// A template with the values of its names. Braces around anything but a name stay what they are.
fn filled(template: &str, mut value: impl FnMut(&str) -> String) -> String {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, behind)) => {
                filled.push_str(&value(name));
                rest = behind;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

fn value(name: &str, cx: &Context, request: &ChatRequest) -> String {
    let header = |name: &str| cx.headers.iter().find(|header| header.key == name).map(|header| header.value.clone());
    let value = match name {
        "team" => cx.team.clone(),
        "user" => cx.user.clone(),
        "model" => Some(request.model.clone()),
        name => name.strip_prefix("header.").and_then(header),
    };
    value.unwrap_or_default()
}

/// FNV-1a, mixed once more since its low bits are weak: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32
}

tidegate_plugin::export!(PromptAb: request);

#[cfg(test)]
mod tests {
    use tidegate_plugin::json::{Value, json};
    use tidegate_plugin::testing::{Host, ask};
    use tidegate_plugin::{Edit, Tag};

    use super::*;

    fn plugin(variants: Value) -> Result<PromptAb, Failure> {
        Host::new().plugin(json!({ "variants": variants }))
    }

    #[test]
    fn a_template_says_who_asks() {
        let plugin = plugin(json!([{ "name": "a", "prompt": "You help {team}{header.x-none}. {JSON: {}}" }])).unwrap();
        let mut cx = Host::new().context();
        cx.team = Some("support".into());
        let outcome = plugin.on_request(&cx, &ask("hello")).unwrap();
        let message = Message::text(Role::System, "You help support. {JSON: {}}");
        assert_eq!(outcome.edits, [Edit::InsertMessage((0, message))]);
        assert_eq!(outcome.tags, [Tag { key: "variant".into(), value: "a".into() }]);
    }

    #[test]
    fn shares_are_about_right_and_a_user_keeps_a_variant() {
        let plugin =
            plugin(json!([{ "name": "a", "weight": 3, "prompt": "" }, { "name": "b", "prompt": "" }])).unwrap();
        let variant = |user: u32| {
            let mut cx = Host::new().context();
            cx.user = Some(format!("user-{user}"));
            plugin.variant_for(&cx).unwrap().name.clone()
        };
        let of_a = (0..1_000).filter(|user| variant(*user) == "a").count();
        assert!((700..800).contains(&of_a), "{of_a}");
        assert_eq!(variant(7), variant(7));
    }

    #[test]
    fn a_name_that_stands_for_nothing_is_a_mistake() {
        let refused = plugin(json!([{ "name": "a", "prompt": "{tem}" }])).err();
        assert!(matches!(refused, Some(Failure::Config(reason)) if reason.contains("`{tem}`")));
        assert_eq!(plugin(json!([])).err(), Some(Failure::Config("no variant has a weight".into())));
    }
}

//! A plugin that does what its configuration says, good or bad: `{"request": {"do": "loop"}}`.

mod bad;
mod good;
mod stream;

use std::cell::RefCell;

use serde::Deserialize;

wit_bindgen::generate!({ path: "../../../sdk/wit", world: "step", generate_all });

use exports::tidegate::plugin::lifecycle::{About, Hook};
use exports::tidegate::plugin::{lifecycle, request_hook, response_hook};
use tidegate::plugin::types::{ChatRequest, ChatResponse, Context, Failure, Outcome, Verdict};

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Config {
    request: Option<Act>,
    response: Option<Act>,
    stream: Option<Act>,
    needs: Vec<String>,
    reject: Option<String>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct Act {
    #[serde(rename = "do")]
    name: String,
    text: String,
    number: u64,
}

thread_local! {
    static CONFIG: RefCell<Config> = RefCell::default();
}

fn config() -> Config {
    CONFIG.with_borrow(Clone::clone)
}

struct Probe;

impl lifecycle::Guest for Probe {
    fn describe() -> About {
        About {
            name: "probe".into(),
            version: "0.1.0".into(),
            description: "does what it is told".into(),
            config_schema_json: Some(include_str!("schema.json").into()),
            hooks: hooks(),
            needs: needs(),
        }
    }

    fn configure(config: String) -> Result<(), Failure> {
        let config: Config = serde_json::from_str(&config).map_err(|error| Failure::Config(error.to_string()))?;
        if let Some(reason) = &config.reject {
            return Err(Failure::Config(reason.clone()));
        }
        CONFIG.set(config);
        Ok(())
    }
}

/// What is called is decided when the probe is built, since `describe` comes before `configure`.
fn hooks() -> Vec<Hook> {
    let hooks = option_env!("PROBE_HOOKS").unwrap_or("request,response,stream");
    let hook = |word: &str| match word {
        "request" => Hook::OnRequest,
        "response" => Hook::OnResponse,
        _ => Hook::OnStream,
    };
    hooks.split(',').map(hook).collect()
}

fn needs() -> Vec<String> {
    option_env!("PROBE_NEEDS").into_iter().flat_map(|needs| needs.split(',')).map(str::to_owned).collect()
}

impl request_hook::Guest for Probe {
    fn on_request(context: Context, request: ChatRequest) -> Result<Outcome, Failure> {
        match config().request {
            None => Ok(pass()),
            Some(act) => good::request(&act, &context, &request).unwrap_or_else(|| bad::act(&act)),
        }
    }
}

impl response_hook::Guest for Probe {
    fn on_response(_: Context, request: ChatRequest, response: ChatResponse) -> Result<Outcome, Failure> {
        match config().response {
            None => Ok(pass()),
            Some(act) => good::response(&act, &request, &response).unwrap_or_else(|| bad::act(&act)),
        }
    }
}

fn pass() -> Outcome {
    Outcome { verdict: Verdict::Pass, edits: vec![], findings: vec![], tags: vec![] }
}

export!(Probe);

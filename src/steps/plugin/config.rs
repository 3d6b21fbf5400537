//! What a policy says of a plugin.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::base::units::{Period, Rate, Size};
use crate::registry::Source;
use crate::wasm::{Isolation, Limits};

/// The settings of a `plugin` step.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The component: a path from the folder of this file, or a place in a registry, as in
    /// `oci://ghcr.io/acme/tone:1.2`.
    pub wasm: Source,
    /// The SHA-256 that the component must have, in hexadecimal. Without it any component at that path is run.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Whether a tag of a registry is followed wherever it is moved.
    #[serde(default)]
    pub unpinned: Unpinned,
    /// Files of cases, as `tidegate plugin test` runs them: a component that does not pass all of them is not put in charge.
    #[serde(default)]
    pub cases: Vec<PathBuf>,
    /// What it is called in logs and metrics, and what its `kv` belongs to; its own name if not said.
    #[serde(default)]
    pub name: Option<String>,
    /// What it may see and do; nothing if not said.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Its own configuration, which it validates by its own schema.
    #[serde(default)]
    pub config: Option<Value>,
    /// What becomes of a request when the plugin traps.
    #[serde(default)]
    pub on_trap: Otherwise,
    /// … takes too long.
    #[serde(default)]
    pub on_timeout: Otherwise,
    /// … says that it failed, or answers what cannot be.
    #[serde(default)]
    pub on_error: Otherwise,
    /// … cannot be called: all its instances are busy, or it has failed too often of late.
    #[serde(default)]
    pub when_unavailable: Otherwise,
    #[serde(default)]
    pub isolation: IsolationDoc,
    #[serde(default)]
    pub mode: Mode,
    #[serde(default)]
    pub limits: LimitsDoc,
    /// How pieces of a streamed answer are gathered before the plugin is called. Whatever came at once is always one call.
    #[serde(default)]
    pub gather: Gather,
}

/// Something that a plugin may see or do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub enum Grant {
    /// See the messages and tools of requests, and change them.
    #[serde(rename = "request.text")]
    RequestText,
    /// See these headers of requests.
    #[serde(rename = "request.headers")]
    RequestHeaders(Vec<String>),
    /// Ask for another model than the caller has.
    #[serde(rename = "request.model")]
    RequestModel,
    /// Change parameters.
    #[serde(rename = "request.params")]
    RequestParams,
    /// Send these headers to providers.
    #[serde(rename = "request.set_headers")]
    SetHeaders(Vec<String>),
    /// See what answers say, and change it.
    #[serde(rename = "answer.text")]
    AnswerText,
    /// See the verified claims of the caller's token.
    #[serde(rename = "caller.claims")]
    CallerClaims,
    /// Know the time.
    #[serde(rename = "clock")]
    Clock,
    /// Have random bytes.
    #[serde(rename = "random")]
    Random,
    /// Count under these names.
    #[serde(rename = "metrics")]
    Metrics(Vec<String>),
    /// Keep small values that last.
    #[serde(rename = "kv")]
    Kv,
    /// Sign with these secrets of the gateway file, without seeing them.
    #[serde(rename = "secrets")]
    Secrets(Vec<String>),
    /// See these secrets of the gateway file.
    #[serde(rename = "secrets.reveal")]
    Reveal(Vec<String>),
    /// Call these servers: `https://api.example.org`, `POST https://10.0.0.7:8443/check`.
    #[serde(rename = "http")]
    Http(Vec<String>),
    /// Ask models.
    #[serde(rename = "model")]
    Model(ModelGrant),
}

/// Which models a plugin may ask, and how much.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelGrant {
    /// Targets, by the names that routes use.
    pub ask: Vec<String>,
    /// How many tokens that may take, questions and answers together.
    pub tokens: Rate,
}

impl Grant {
    /// Its name, as a plugin says that it needs it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RequestText => "request.text",
            Self::RequestHeaders(_) => "request.headers",
            Self::RequestModel => "request.model",
            Self::RequestParams => "request.params",
            Self::SetHeaders(_) => "request.set_headers",
            Self::AnswerText => "answer.text",
            Self::CallerClaims => "caller.claims",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Metrics(_) => "metrics",
            Self::Kv => "kv",
            Self::Secrets(_) => "secrets",
            Self::Reveal(_) => "secrets.reveal",
            Self::Http(_) => "http",
            Self::Model(_) => "model",
        }
    }
}

/// What becomes of a request that a plugin has come to nothing on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    #[default]
    Refuse,
    /// It goes on as if the plugin were not there; the trail and a metric tell of it.
    Allow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unpinned {
    /// A place that can be moved to another component needs a pin.
    #[default]
    Refuse,
    /// Each load of the policies takes what it leads to then.
    Allow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IsolationDoc {
    /// An instance serves many calls, one after the other.
    #[default]
    Pooled,
    /// Each request has a fresh instance.
    Request,
}

impl From<IsolationDoc> for Isolation {
    fn from(document: IsolationDoc) -> Self {
        match document {
            IsolationDoc::Pooled => Self::Pooled,
            IsolationDoc::Request => Self::Request,
        }
    }
}

/// Whether the plugin acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Enforce,
    /// It is called and what it says is noted; nothing comes of it.
    Observe,
}

/// What one plugin may use; what is not said is as ordinary plugins need it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsDoc {
    /// Memory of one instance; 64 MiB.
    pub memory: Option<Size>,
    /// Time that it may compute in one call; 50 ms.
    pub cpu: Option<Period>,
    /// Time that one call may take, waiting included; 2 s.
    pub wall: Option<Period>,
    /// Units of fuel for one call, instead of `cpu`: about an instruction each, and the same on every machine.
    pub fuel: Option<u64>,
    /// Bytes that it may give back, or hand to the host, at a time; 1 MiB.
    pub carried: Option<Size>,
    /// Calls to the host in one call; 256.
    pub host_calls: Option<u32>,
    /// Bytes of log lines in one call; 8 KiB.
    pub log: Option<Size>,
    /// Instances at a time; 256.
    pub instances: Option<u32>,
    /// Size of the component; 32 MiB.
    pub file: Option<Size>,
    /// Bytes of an answer that it may hold back, or that are held for it; 256 KiB of a stream, 4 MiB of a whole answer.
    pub hold: Option<Size>,
}

impl LimitsDoc {
    /// # Errors
    /// A limit that is out of bounds.
    pub fn limits(&self) -> Result<Limits, String> {
        let (usual, most) = (Limits::default(), Limits::MOST);
        let bytes = |size: Option<Size>, usual: usize, most: usize, name: &str| match size {
            None => Ok(usual),
            Some(Size(bytes)) => {
                usize::try_from(bytes).ok().filter(|bytes| (1..=most).contains(bytes)).ok_or_else(|| {
                    format!("`limits.{name}` is more than the {} KiB that a plugin can have, or nothing", most >> 10)
                })
            }
        };
        let time = |period: Option<Period>, usual: Duration, most: Duration, name: &str| match period {
            None => Ok(usual),
            Some(Period(time)) if !time.is_zero() && time <= most => Ok(time),
            Some(_) => Err(format!("`limits.{name}` must be between 1ms and {}", crate::base::duration::show(most))),
        };
        let count = |count: Option<u32>, usual: u32, most: u32, name: &str| match count {
            None => Ok(usual),
            Some(count) if (1..=most).contains(&count) => Ok(count),
            Some(_) => Err(format!("`limits.{name}` must be between 1 and {most}")),
        };
        let fuel = self.fuel.filter(|fuel| *fuel == 0 || Some(*fuel) > most.fuel);
        if fuel.is_some() {
            return Err(format!("`limits.fuel` must be between 1 and {}", most.fuel.unwrap_or(u64::MAX)));
        }
        Ok(Limits {
            memory: bytes(self.memory, usual.memory, most.memory, "memory")?,
            cpu: time(self.cpu, usual.cpu, most.cpu, "cpu")?,
            wall: time(self.wall, usual.wall, most.wall, "wall")?,
            fuel: self.fuel,
            carried: bytes(self.carried, usual.carried, most.carried, "carried")?,
            host_calls: count(self.host_calls, usual.host_calls, most.host_calls, "host_calls")?,
            log: bytes(self.log, usual.log, most.log, "log")?,
            random: usual.random,
            instances: count(self.instances, usual.instances, most.instances, "instances")?,
            file: bytes(self.file, usual.file, most.file, "file")?,
        })
    }
}

/// When a plugin is called for pieces of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gather {
    /// Once there is so much text…
    pub bytes: Option<Size>,
    /// …or the first piece has waited for so long. Without it a piece never waits.
    pub within: Option<Period>,
}

impl Config {
    /// Whether another component may be run tomorrow though the file says the same.
    pub fn follows_tags(&self) -> bool {
        self.unpinned == Unpinned::Allow
    }

    /// The targets that the plugin may ask.
    pub fn asks(&self) -> Vec<&str> {
        let models = self.grants.iter().filter_map(|grant| match grant {
            Grant::Model(grant) => Some(grant.ask.iter().map(String::as_str)),
            _ => None,
        });
        models.flatten().collect()
    }

    /// The secrets of the gateway file that the plugin may use.
    pub fn secrets(&self) -> Vec<&str> {
        let secrets = self.grants.iter().filter_map(|grant| match grant {
            Grant::Secrets(names) | Grant::Reveal(names) => Some(names.iter().map(String::as_str)),
            _ => None,
        });
        secrets.flatten().collect()
    }

    /// Relative paths start from `folder`.
    pub fn place(&mut self, folder: &Path) {
        self.wasm.place(folder);
        self.cases.iter_mut().for_each(|path| *path = folder.join(&path));
    }

    /// The files that it is made with.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.wasm.file().into_iter().chain(self.cases.iter().map(PathBuf::as_path))
    }
}

//! Opening the guards that `screen` steps ask.

use std::sync::Arc;

use super::providers::{path, resolve};
use super::{Parts, Screens};
use crate::policy::codes;
use crate::policy::config::{Config, ScreenConfig};
use crate::policy::problem::Problem;
use crate::steps::screen::{Guard, Spec};

pub fn open(config: &Config, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Screens {
    let mut screens = closed(config);
    for (name, screen) in &config.screens {
        if let Some(open) = open_one(screen, parts, problems) {
            screens.insert(name.clone(), Arc::new(open));
        }
    }
    screens
}

fn open_one(config: &ScreenConfig, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Option<Guard> {
    let before = problems.len();
    let url = resolve(&config.url, parts, problems);
    let key = config.key.as_ref().and_then(|key| resolve(key, parts, problems));
    let ca = config.ca.as_ref().and_then(|ca| path(ca, parts, problems));
    let url = url.filter(|_| problems.len() == before)?;
    let spec = Spec {
        name: config.name.value.clone(),
        kind: config.kind.clone(),
        url,
        key,
        ca,
        timeout: config.timeout,
        max_concurrent: config.max_concurrent,
    };
    match Guard::open(spec, parts.pools) {
        Ok(guard) => Some(guard),
        Err(reason) => {
            problems.push(Problem::error(codes::CANNOT_OPEN, reason).at(config.name.span, "this screen"));
            None
        }
    }
}

/// The same without their secrets, for checking what else is said of them.
pub fn closed(config: &Config) -> Screens {
    let closed = |(name, screen): (&String, &ScreenConfig)| {
        let guard = Guard::closed(name, screen.kind.clone(), screen.timeout, screen.max_concurrent);
        (name.clone(), Arc::new(guard))
    };
    config.screens.iter().map(closed).collect()
}

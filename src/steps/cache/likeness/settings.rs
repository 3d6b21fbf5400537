//! The settings of the `similar` tier.

use std::sync::Arc;
use std::time::Duration;

use super::embedder::Embedder;
use super::far::Source;
use super::judge::Judge;
use super::{Experience, Similar, identity};
use crate::base::ids::{DialectId, PolicyName};
use crate::base::units::{Period, Share};
use crate::pipeline::breaker::Breaker;
use crate::pipeline::target::Target;
use crate::state::answers::{EmbedderHash, Room};
use crate::steps::Site;
use crate::steps::cache::everyones;

/// How questions in other words are found.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The embedder of the gateway file that says where texts lie, or a target that does, as
    /// `openai/text-embedding-3-small`, which must speak OpenAI's dialect.
    pub by: String,
    /// The cosine from which on two questions are alike, from 0.5 to 1; 0.9 if not said, or 0.85 for a model whose likenesses
    /// a score is trained for.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// How long a request waits to hear where its text lies; `100ms` if not said.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// The share of answers that may be wrong: `1%` if not said. Until it is known with a confidence of 95 % to be no
    /// higher, which takes hundreds of trials for each key, team or whoever shares answers, nothing is given.
    #[serde(default)]
    pub false_hits_at_most: Option<Share>,
    /// The share of answers that are still tried after that; `5%` if not said.
    #[serde(default)]
    pub check: Option<Share>,
}

impl Config {
    /// The tier; `None` while the files are only checked, for then there is no target.
    ///
    /// # Errors
    /// What is wrong with a setting, for the person who wrote it.
    pub fn build(&self, site: &Site<'_>, home: &PolicyName, room: Room) -> Result<Option<Similar>, String> {
        if let Some(least) = self.at_least.filter(|least| !(0.5..=1.0).contains(least)) {
            return Err(format!("`{least}` tells nothing apart; `at_least` is between 0.5 and 1"));
        }
        let patience = self.timeout.map_or(USUAL_PATIENCE, |timeout| timeout.0);
        if patience.is_zero() {
            return Err("no embedder answers in no time".into());
        }
        let at_most = self.false_hits_at_most.map_or(0.01, Share::fraction);
        if at_most <= 0.0 {
            return Err("nobody can know that no answer is ever wrong; leave `similar` out".into());
        }
        let Some((embedder, identity)) = self.embedder(site, patience)? else { return Ok(None) };
        let (stores, pin) = (site.stores, site.embedders.get(&self.by).map(|local| local.pin()));
        let [_, common] = site.imprints;
        let experience = Experience {
            imprint: (*home == everyones()).then(|| common.into()),
            policy: site.policy.clone(),
            repertoire: stores.repertoires.of(home, identity),
            trust: stores.trust.clone(),
            answers: Arc::clone(&stores.answers),
            room,
            book: Arc::clone(&stores.kept),
            by: pin.map_or_else(|| self.by.clone(), |pin| format!("{} {}", self.by, pin.short())).into(),
            judge: Judge::of(pin, self.at_least),
            at_most,
        };
        experience.repertoire.recall(&experience.answers, &experience.trust, room);
        Ok(Some(Similar {
            embedder,
            experience: Arc::new(experience),
            check: self.check.map_or(0.05, Share::fraction),
        }))
    }

    /// What embeds, and what tells it from others: another model under the same name has earned no trust.
    fn embedder(&self, site: &Site<'_>, patience: Duration) -> Result<Option<(Embedder, EmbedderHash)>, String> {
        if let Some(local) = site.embedders.get(&self.by) {
            return Ok(Some((Embedder::near(Arc::clone(local), patience), identity::of_local(local.pin()))));
        }
        let Some(target) = (site.target)(&self.by) else { return Ok(None) };
        let source = source(target, site)?;
        let identity = identity::of_provider(&source.target, &source.model);
        Ok(Some((Embedder::far(source, patience), identity)))
    }
}

fn source(target: Arc<Target>, site: &Site<'_>) -> Result<Source, String> {
    let name = &target.name;
    if target.dialect.id() != DialectId::OPENAI_CHAT {
        return Err(format!("embeddings are asked for in OpenAI's dialect, which `{name}` does not speak"));
    }
    let model = target.model.clone().ok_or_else(|| {
        format!("which model of `{name}` shall embed? name it as well, as in `openai/text-embedding-3-small`")
    })?;
    Ok(Source {
        policy: site.policy.clone(),
        model,
        target,
        limit: LONGEST_BATCH,
        ledger: site.stores.ledger.clone(),
        counts: Arc::clone(&site.stores.kept),
        tokens: Arc::clone(&site.stores.tokens),
        clock: site.stores.clock,
        breaker: Breaker::default(),
    })
}

const USUAL_PATIENCE: Duration = Duration::from_millis(100);
/// A batch that takes longer has failed, whoever waits for it.
const LONGEST_BATCH: Duration = Duration::from_secs(5);

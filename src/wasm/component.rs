//! A component that can be a plugin: compiled, linked, its hooks found.

use std::sync::Arc;

use tracing::debug;
use wasmtime::component::{HasSelf, InstancePre, Linker};

use super::bindings::Step;
use super::bindings::exports::tidegate::plugin::{lifecycle, request_hook, response_hook, stream_hook};
use super::engine::{Engine, Metering};
use super::host::{Host, link_quiet};
use super::limits::Limits;
use super::manifest::{Hook, Manifest};
use super::unfit::Unfit;

/// A component, ready to be instantiated.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

pub(super) struct Inner {
    pub engine: Engine,
    pub pre: InstancePre<Host>,
    pub metering: Metering,
    pub manifest: Manifest,
    pub lifecycle: lifecycle::GuestIndices,
    pub request: Option<request_hook::GuestIndices>,
    pub response: Option<response_hook::GuestIndices>,
    pub stream: Option<stream_hook::GuestIndices>,
}

impl Component {
    /// Reads, compiles and links a component. It takes as long as compiling takes: milliseconds for small ones, seconds for
    /// those with a language's runtime in them, unless they were compiled before.
    ///
    /// # Errors
    /// Why the bytes cannot be a plugin.
    pub fn load(engine: &Engine, bytes: &[u8], limits: &Limits) -> Result<Self, Unfit> {
        let manifest = Manifest::read(bytes, limits)?;
        let metering = if limits.fuel.is_some() { Metering::Fuel } else { Metering::Ticks };
        let compiled = compile(engine, metering, bytes, &manifest.sha256)?;
        let pre = link(&compiled)?;
        let missing = |error: wasmtime::Error| Unfit::new(format!("an export is not what it should be: {error:#}"));
        let exports = |hook: Hook| manifest.hooks.contains(&hook);
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            metering,
            lifecycle: lifecycle::GuestIndices::new(&pre).map_err(missing)?,
            request: exports(Hook::Request)
                .then(|| request_hook::GuestIndices::new(&pre))
                .transpose()
                .map_err(missing)?,
            response: exports(Hook::Response)
                .then(|| response_hook::GuestIndices::new(&pre))
                .transpose()
                .map_err(missing)?,
            stream: exports(Hook::Stream).then(|| stream_hook::GuestIndices::new(&pre)).transpose().map_err(missing)?,
            manifest,
            pre,
        })))
    }

    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}

fn compile(
    engine: &Engine,
    metering: Metering,
    bytes: &[u8],
    sha256: &str,
) -> Result<wasmtime::component::Component, Unfit> {
    if let Some(known) = engine.shelf().find(sha256, metering) {
        return Ok(known);
    }
    let metered = engine.metered(metering).map_err(Unfit::new)?;
    if let Some(kept) = engine.cache().and_then(|cache| cache.load(metered, sha256)) {
        debug!(sha256, "a plugin was compiled before");
        engine.shelf().put(sha256, metering, &kept);
        return Ok(kept);
    }
    let compiled = engine.compiler().compile(metered, bytes).map_err(Unfit::new)?;
    if let Some(cache) = engine.cache() {
        cache.keep(metered, sha256, &compiled);
    }
    engine.shelf().put(sha256, metering, &compiled);
    Ok(compiled)
}

fn link(component: &wasmtime::component::Component) -> Result<InstancePre<Host>, Unfit> {
    let wrong = |error: wasmtime::Error| {
        Unfit::new(format!("what it imports is not what this gateway offers: {error:#}"))
            .help("build it against the interface of this gateway's version")
    };
    let mut linker = Linker::new(component.engine());
    Step::add_to_linker::<_, HasSelf<_>>(&mut linker, |host: &mut Host| host).map_err(wrong)?;
    link_quiet(&mut linker, component).map_err(wrong)?;
    linker.instantiate_pre(component).map_err(wrong)
}

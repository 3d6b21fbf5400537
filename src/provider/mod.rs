//! Reaching a provider: dialect × URL × credential × quirks, all of it data.
//!
//! A [`Provider`] is opened from a [`Spec`] when a policy loads, and belongs to that revision; what must
//! outlive it (connections, refused keys) is in [`Pools`]. It puts the gateway's own credential on a
//! request and lets none of the caller's through.
//!
//! It does not read or write bodies, and it does not try again.

mod address;
mod catalogue;
mod headers;
mod hide;
mod keys;
mod pools;
mod public;
pub mod retry_after;
pub mod simulator;
mod spec;
mod stage;
mod tls;
mod transport;
mod wire;

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};

use crate::base::ids::{DialectId, ProviderName};
use crate::base::secret::Secret;
use crate::base::stop::Reply;
use crate::dialect::Quirks;
use catalogue::{Kind, Need};
use headers::Trace;
use keys::KeyRing;
use simulator::Simulator;
use stage::Staged;

pub use address::Address;
pub use catalogue::{kinds, needs_key, needs_url};
pub use headers::is_trace;
pub use keys::KeyUse;
pub use pools::{Pools, Reach};
pub use public::is_public;
pub use spec::{Pick, Spec};
pub use stage::Stage;
pub use transport::{Body, BoxError, Hop, ReplyBody, Transport, TransportError};

/// A provider, ready to be called.
pub struct Provider {
    name: ProviderName,
    kind_name: String,
    kind: &'static Kind,
    address: Address,
    transport: Arc<dyn Transport>,
    ring: Arc<KeyRing>,
    /// The values of the credential header, one per key of the ring.
    credentials: Vec<HeaderValue>,
    credential: HeaderName,
    /// The keys themselves, to be recognised where they must not be.
    keys: Vec<Secret>,
    /// Sent unless the caller sends them.
    defaults: Vec<(HeaderName, HeaderValue)>,
    /// Sent whatever the caller sends.
    fixed: Vec<(HeaderName, HeaderValue)>,
    trace: Trace,
}

/// One request to a provider.
#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// The path below the base URL, with its query: `/chat/completions`.
    pub path: Cow<'static, str>,
    /// What goes along of the caller's headers, and the `content-type`.
    pub headers: HeaderMap,
    pub body: Body,
}

/// An answer that has begun.
#[derive(Debug)]
pub struct Sent {
    pub response: Response<ReplyBody>,
    /// To be kept until the answer has ended.
    pub key: KeyUse,
}

impl Provider {
    /// # Errors
    /// What is wrong with the specification, for the person who wrote it.
    pub fn open(spec: Spec, pools: &Pools) -> Result<Self, String> {
        let kind = catalogue::kind(&spec.kind).ok_or_else(|| format!("`{}` is not a kind of provider", spec.kind))?;
        let script = spec.simulate.clone().or_else(|| kind.simulated.then(Default::default));
        let address = address(&spec, kind, script.is_some())?;
        let simulator = script.map(|script| Arc::new(Simulator::new(script)) as Arc<dyn Transport>);
        let (address, transport) = match (pools.stage(), simulator) {
            (Some(stage), understudy) => (address, Arc::new(Staged::new(stage, understudy)) as Arc<dyn Transport>),
            (None, Some(simulator)) => (address, simulator),
            (None, None) => connect(&spec, address, pools)?,
        };
        if spec.keys.is_empty() && kind.key == Need::Required && spec.simulate.is_none() {
            return Err(format!("a provider of kind `{}` needs a `key`", spec.kind));
        }
        let keys = spec.keys.iter().enumerate();
        Ok(Self {
            credentials: keys.map(|(n, key)| credential(kind, n, key)).collect::<Result<_, _>>()?,
            credential: kind.credential.header(),
            defaults: kind.headers.iter().map(|(name, value)| header(name, value)).collect::<Result<_, _>>()?,
            fixed: spec.headers.iter().map(|(name, value)| extra(name, value)).collect::<Result<_, _>>()?,
            trace: if spec.propagate { Trace::Propagate } else { Trace::Keep },
            ring: Arc::new(pools.bench.ring(&spec.name, &spec.keys, spec.pick)),
            keys: spec.keys.iter().map(|key| Secret::new(key.expose().trim())).collect(),
            name: spec.name,
            kind_name: spec.kind,
            kind,
            address,
            transport,
        })
    }

    pub fn name(&self) -> &ProviderName {
        &self.name
    }

    /// The kind, as the policy names it: `openai`.
    pub fn kind(&self) -> &str {
        &self.kind_name
    }

    pub fn dialect(&self) -> DialectId {
        self.kind.dialect
    }

    pub fn quirks(&self) -> &Quirks {
        &self.kind.quirks
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a call and waits for the head of its answer. Dropping the future cancels the request.
    ///
    /// # Errors
    /// When no answer began. An answer with any status is one.
    pub fn send<'a>(&'a self, call: Call, hop: Hop<'a>) -> impl Future<Output = Result<Sent, TransportError>> + Send {
        // Written before anything is awaited: a future that holds no call is small.
        let key = self.ring.take();
        let sending = self.request(call, &key).map(|request| self.transport.send(request, hop));
        async move {
            let response = sending?.await?;
            if response.status().is_success() {
                key.accepted();
            }
            Ok(Sent { response, key })
        }
    }

    /// Whether it may know which trace a request belongs to.
    pub fn propagates(&self) -> bool {
        self.trace == Trace::Propagate
    }

    /// Hides this provider's keys in an error that quotes one.
    pub fn hide_keys(&self, reply: &mut Reply) {
        hide::hide(&self.keys, reply);
    }

    fn request(&self, call: Call, key: &KeyUse) -> Result<Request<Body>, TransportError> {
        let mut request = Request::new(call.body);
        *request.method_mut() = call.method;
        *request.uri_mut() = self.address.at(&call.path).map_err(TransportError::Connect)?;
        *request.headers_mut() = self.dress(call.headers, key);
        Ok(request)
    }

    fn dress(&self, mut headers: HeaderMap, key: &KeyUse) -> HeaderMap {
        headers::clean(&mut headers, self.trace);
        for (name, value) in &self.defaults {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if let Some(credential) = key.index().and_then(|index| self.credentials.get(index)) {
            headers.insert(self.credential.clone(), credential.clone());
        }
        for (name, value) in &self.fixed {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }
}

fn address(spec: &Spec, kind: &Kind, simulated: bool) -> Result<Address, String> {
    // A simulated provider of any kind lives nowhere, but its paths need a place.
    let nowhere = simulated.then_some("http://simulator.invalid/v1");
    let url = spec.url.as_deref().or(kind.url.as_deref()).or(nowhere);
    let url = url.ok_or_else(|| format!("a provider of kind `{}` needs a `url`", spec.kind))?;
    let address = Address::parse(url)?;
    match &kind.below {
        Some(path) => address.below(path),
        None => Ok(address),
    }
}

fn connect(spec: &Spec, address: Address, pools: &Pools) -> Result<(Address, Arc<dyn Transport>), String> {
    let transport = pools.transport(&address, spec.ca.as_deref(), spec.http2)?;
    let address = if pools.proxy(&address).is_some() { address.with_port()? } else { address };
    if !address.is_https() && !address.is_loopback() && !spec.keys.is_empty() {
        tracing::warn!(provider = %spec.name, "keys and prompts travel unencrypted to an http:// URL");
    }
    Ok((address, transport))
}

fn credential(kind: &Kind, index: usize, key: &Secret) -> Result<HeaderValue, String> {
    let key = key.expose().trim();
    if key.is_empty() {
        return Err(format!("key {index} is empty"));
    }
    let mut value = HeaderValue::try_from(kind.credential.value(key))
        .map_err(|_| format!("key {index} holds a character that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn extra(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let (name, mut value) = header(name, value.expose())?;
    if headers::is_framing(&name) {
        return Err(format!("the header `{name}` is the gateway's own to set"));
    }
    value.set_sensitive(true);
    Ok((name, value))
}

/// The value is not repeated in the error: it may be a secret.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let known = HeaderName::try_from(name).map_err(|_| format!("`{name}` is not the name of a header"))?;
    let value = HeaderValue::try_from(value).map_err(|_| format!("the value of the header `{name}` cannot be sent"))?;
    Ok((known, value))
}

#[cfg(test)]
mod tests;

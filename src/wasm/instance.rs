//! A live instance of a plugin: one call at a time, each within its limits.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;
use wasmtime::component::ResourceAny;
use wasmtime::{Store, UpdateDeadline};

use super::abilities::Abilities;
use super::bindings::exports::tidegate::plugin::{lifecycle, request_hook, response_hook, stream_hook};
use super::bindings::tidegate::plugin::types::{
    ChatRequest, ChatResponse, Context, Delta, Failure, Outcome, StreamOutcome, Usage,
};
use super::component::Component;
use super::engine::Metering;
use super::host::{Call, Host};
use super::limits::{HANDLES, Limits};
use super::trouble::{Overrun, Trouble};

/// An instance. It is good for further calls until one of them comes to nothing.
pub struct Instance {
    store: Store<Host>,
    component: Component,
    lifecycle: lifecycle::Guest,
    request: Option<request_hook::Guest>,
    response: Option<response_hook::Guest>,
    stream: Option<stream_hook::Guest>,
    calls: u32,
    report: Report,
    _place: OwnedSemaphorePermit,
}

/// What a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub took: Duration,
    /// Milliseconds in which the guest was seen computing.
    pub ticks: u32,
    /// What it used of its fuel, if it has any.
    pub fuel: Option<u64>,
    /// Bytes of the instance's memory by now.
    pub memory: usize,
    pub host_calls: u32,
    /// Bytes of log lines that did not fit its budget.
    pub log_dropped: usize,
}

/// One answer that a stream hook follows.
pub struct Session(ResourceAny);

impl Instance {
    /// Makes an instance, which has not been configured.
    pub(super) async fn start(
        component: &Component,
        limits: &Arc<Limits>,
        abilities: &Arc<Abilities>,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, Trouble> {
        let inner = component.inner();
        let host = Host::new(Arc::clone(abilities), Arc::clone(limits));
        let mut store = Store::new(inner.pre.engine(), host);
        store.limiter(|host| &mut host.memory);
        store.set_max_component_handles(HANDLES);
        store.set_hostcall_fuel(limits.carried);
        if inner.metering == Metering::Ticks {
            store.epoch_deadline_callback(|mut store| match store.data_mut().tick() {
                // Others have their turn each millisecond.
                true => Ok(UpdateDeadline::Yield(1)),
                false => Err(Overrun::Cpu.into()),
            });
        }
        let limits = limits.at_load();
        let metered =
            Metered { component, limits: &limits, call: Call::within(limits.wall), patience: Patience::Needless };
        let instance = metered.run(&mut store, async |store| inner.pre.instantiate_async(store).await).await?;
        let wrong = |_| Trouble::Trapped("an export is missing");
        Ok(Self {
            lifecycle: inner.lifecycle.load(&mut store, &instance).map_err(wrong)?,
            request: inner.request.as_ref().map(|hook| hook.load(&mut store, &instance)).transpose().map_err(wrong)?,
            response: inner
                .response
                .as_ref()
                .map(|hook| hook.load(&mut store, &instance))
                .transpose()
                .map_err(wrong)?,
            stream: inner.stream.as_ref().map(|hook| hook.load(&mut store, &instance)).transpose().map_err(wrong)?,
            store,
            component: component.clone(),
            calls: 0,
            report: Report::default(),
            _place: place,
        })
    }

    /// What the last call took.
    pub fn report(&self) -> Report {
        self.report
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    pub(super) async fn describe(&mut self) -> Result<lifecycle::About, Trouble> {
        let limits = self.store.data().limits.at_load();
        let (guest, call) = (&self.lifecycle, Call::within(limits.wall));
        Metered { component: &self.component, call, limits: &limits, patience: Patience::Needless }
            .run(&mut self.store, async |store| guest.call_describe(store).await)
            .await
    }

    pub(super) async fn configure(&mut self, config: &str) -> Result<(), Trouble> {
        let limits = self.store.data().limits.at_load();
        let (guest, call) = (&self.lifecycle, Call::within(limits.wall));
        let configured = Metered { component: &self.component, call, limits: &limits, patience: Patience::Needless }
            .run(&mut self.store, async |store| guest.call_configure(store, config).await)
            .await?;
        configured.map_err(Trouble::Failed)?;
        self.store.data_mut().grant();
        Ok(())
    }

    pub async fn on_request(&mut self, call: Call, cx: &Context, request: &ChatRequest) -> Result<Outcome, Trouble> {
        let hook = self.request.take().ok_or(NO_HOOK)?;
        let done = self.call(call, async |store| hook.call_on_request(store, cx, request).await).await;
        self.request = Some(hook);
        done
    }

    pub async fn on_response(
        &mut self,
        call: Call,
        cx: &Context,
        request: &ChatRequest,
        response: &ChatResponse,
    ) -> Result<Outcome, Trouble> {
        let hook = self.response.take().ok_or(NO_HOOK)?;
        let done = self.call(call, async |store| hook.call_on_response(store, cx, request, response).await).await;
        self.response = Some(hook);
        done
    }

    /// Begins to follow an answer.
    pub async fn open(&mut self, call: Call, cx: &Context, request: &ChatRequest) -> Result<Session, Trouble> {
        let hook = self.stream.take().ok_or(NO_HOOK)?;
        let opened = async |store: &mut Store<Host>| hook.session().call_constructor(store, cx, request).await.map(Ok);
        let session = self.call(call, opened).await;
        self.stream = Some(hook);
        session.map(Session)
    }

    pub async fn push(&mut self, call: Call, session: &Session, batch: &[Delta]) -> Result<StreamOutcome, Trouble> {
        let hook = self.stream.take().ok_or(NO_HOOK)?;
        let done = self.call(call, async |store| hook.session().call_push(store, session.0, batch).await).await;
        self.stream = Some(hook);
        done
    }

    pub async fn finish(
        &mut self,
        call: Call,
        session: &Session,
        usage: Option<Usage>,
    ) -> Result<StreamOutcome, Trouble> {
        let hook = self.stream.take().ok_or(NO_HOOK)?;
        let done = self.call(call, async |store| hook.session().call_finish(store, session.0, usage).await).await;
        self.stream = Some(hook);
        done
    }

    /// The answer is over: what the plugin has kept of it goes.
    pub async fn close(&mut self, call: Call, session: Session) -> Result<(), Trouble> {
        self.call(call, async |store| session.0.resource_drop_async(store).await.map(Ok)).await
    }

    /// Calls a hook.
    async fn call<T>(
        &mut self,
        call: Call,
        hook: impl AsyncFnOnce(&mut Store<Host>) -> wasmtime::Result<Result<T, Failure>>,
    ) -> Result<T, Trouble> {
        self.calls = self.calls.saturating_add(1);
        let limits = Arc::clone(&self.store.data().limits);
        let begun = Instant::now();
        let metered = Metered { component: &self.component, limits: &limits, call, patience: Patience::UntilDue };
        let outcome = metered.run(&mut self.store, hook).await;
        let fuel = limits.fuel.map(|fuel| fuel.saturating_sub(self.store.get_fuel().unwrap_or(0)));
        let host = self.store.data();
        self.report = Report {
            took: begun.elapsed(),
            ticks: host.spent.ticks,
            fuel,
            memory: host.memory.used(),
            host_calls: host.spent.host_calls,
            log_dropped: host.spent.log_dropped,
        };
        outcome?.map_err(Trouble::Failed)
    }
}

const NO_HOOK: Trouble = Trouble::Unavailable("it does not export this hook");

/// Something that a guest does, within limits.
struct Metered<'a> {
    component: &'a Component,
    limits: &'a Limits,
    call: Call,
    patience: Patience,
}

/// Whether somebody may be waited for meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Until the call must be over.
    UntilDue,
    /// Nothing is granted that would have to be waited for, so only the time it computes counts; and there is no timer where
    /// policies are only checked.
    Needless,
}

impl Metered<'_> {
    async fn run<T>(
        self,
        store: &mut Store<Host>,
        work: impl AsyncFnOnce(&mut Store<Host>) -> wasmtime::Result<T>,
    ) -> Result<T, Trouble> {
        let Self { component, limits, call, patience } = self;
        let (until, given) = (call.until, call.until.saturating_duration_since(call.began));
        store.data_mut().begin(call);
        // Of interest to guests that are metered by time only; dropped with the call.
        let _beat = match component.inner().metering {
            Metering::Ticks => {
                store.set_epoch_deadline(1);
                Some(component.inner().engine.metronome().run())
            }
            Metering::Fuel => {
                let wrong = |_| Trouble::Unavailable("its fuel cannot be set");
                store.set_fuel(limits.fuel.unwrap_or(u64::MAX)).map_err(wrong)?;
                store.fuel_async_yield_interval(Some(FUEL_BETWEEN_TURNS)).map_err(wrong)?;
                None
            }
        };
        let done = {
            let mut work = pin!(work(&mut *store));
            // Most calls are over at once and need no timer.
            let at_once = std::future::poll_fn(|cx| {
                Poll::Ready(match work.as_mut().poll(cx) {
                    Poll::Ready(done) => Some(done),
                    Poll::Pending => None,
                })
            });
            match at_once.await {
                Some(done) => Some(done),
                None if patience == Patience::Needless => Some(work.await),
                None => timeout_at(until, work).await.ok(),
            }
        };
        match done {
            Some(Ok(done)) => Ok(done),
            Some(Err(_)) if store.data().memory.was_refused() => Err(Trouble::Overran("memory")),
            Some(Err(error)) => Err(Trouble::of(&error, limits)),
            None => Err(Trouble::OutOfTime(given)),
        }
    }
}

/// Others have their turn after so many instructions, some milliseconds' worth.
const FUEL_BETWEEN_TURNS: u64 = 10_000_000;

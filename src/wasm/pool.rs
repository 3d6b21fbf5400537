//! A plugin set up for one place in a policy, and its instances.
//!
//! Instances wait for their next call in a stack, so that those used last, whose memory is warm, are used first. One that
//! got into trouble is never seen again, nor is one that has served long enough or grown too large.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::abilities::Abilities;
use super::bindings::exports::tidegate::plugin::lifecycle::About;
use super::component::Component;
use super::host::Call;
use super::instance::{Instance, Report};
use super::limits::{IDLE, Limits, RECYCLE_AFTER};
use super::trouble::Trouble;

/// Whether calls share instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// An instance serves many calls, one after the other.
    #[default]
    Pooled,
    /// Each call has one of its own.
    Request,
}

/// A plugin with its configuration, limits and abilities.
pub struct Plugin {
    component: Component,
    limits: Arc<Limits>,
    abilities: Arc<Abilities>,
    config: String,
    isolation: Isolation,
    idle: Arc<Mutex<Vec<Instance>>>,
    /// Instances that this plugin may still have.
    places: Arc<Semaphore>,
}

/// How a plugin is set up.
pub struct Setup {
    pub limits: Limits,
    pub abilities: Abilities,
    /// A JSON object.
    pub config: String,
    pub isolation: Isolation,
}

/// An instance, taken from the pool for a call or a stream.
pub struct Taken {
    /// `None` only while it is on its way back.
    instance: Option<Instance>,
    place: OwnedSemaphorePermit,
    idle: Arc<Mutex<Vec<Instance>>>,
    isolation: Isolation,
    most_memory: usize,
}

impl Component {
    /// Asks the component what it is. Nothing is granted to it meanwhile.
    ///
    /// # Errors
    /// When it cannot even say that.
    pub fn about(&self, setup: &Setup) -> Result<About, Trouble> {
        let (limits, abilities) = (Arc::new(setup.limits.clone()), Arc::new(setup.abilities.clone()));
        let place = Arc::clone(self.inner().engine.places()).try_acquire_owned().map_err(|_| FULL)?;
        at_once(async {
            let mut instance = Instance::start(self, &limits, &abilities, place).await?;
            instance.describe().await
        })
    }
}

impl Plugin {
    /// Sets a plugin up, and has a first instance configure itself.
    ///
    /// # Errors
    /// When it does not accept its configuration, or cannot be instantiated.
    pub fn new(component: Component, setup: Setup) -> Result<Self, Trouble> {
        let Setup { limits, abilities, config, isolation } = setup;
        let plugin = Self {
            places: Arc::new(Semaphore::new(limits.instances as usize)),
            component,
            limits: Arc::new(limits),
            abilities: Arc::new(abilities),
            config,
            isolation,
            idle: Arc::default(),
        };
        let place = Arc::clone(plugin.component.inner().engine.places()).try_acquire_owned().map_err(|_| FULL)?;
        let first = at_once(plugin.fresh(place))?;
        if isolation == Isolation::Pooled {
            plugin.idle.lock().unwrap_or_else(PoisonError::into_inner).push(first);
        }
        Ok(plugin)
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Takes an instance, waiting for one until the call must be over.
    ///
    /// # Errors
    /// When none is free in time, or a fresh one cannot be made.
    pub async fn take(&self, call: &Call) -> Result<Taken, Trouble> {
        let place = acquire(&self.places, call).await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let instance = match idle {
            Some(instance) => instance,
            None => {
                let in_engine = acquire(self.component.inner().engine.places(), call).await?;
                let late = |_| Trouble::Unavailable("no instance was ready in time");
                timeout_at(call.until, self.fresh(in_engine)).await.map_err(late)??
            }
        };
        Ok(Taken {
            instance: Some(instance),
            place,
            idle: Arc::clone(&self.idle),
            isolation: self.isolation,
            most_memory: self.limits.memory / 2,
        })
    }

    async fn fresh(&self, place: OwnedSemaphorePermit) -> Result<Instance, Trouble> {
        let mut instance = Instance::start(&self.component, &self.limits, &self.abilities, place).await?;
        instance.configure(&self.config).await?;
        Ok(instance)
    }
}

impl Taken {
    /// The instance.
    ///
    /// # Errors
    /// Never, as long as it is here.
    pub fn instance(&mut self) -> Result<&mut Instance, Trouble> {
        self.instance.as_mut().ok_or(Trouble::Unavailable("it was given back"))
    }

    pub fn report(&self) -> Report {
        self.instance.as_ref().map(Instance::report).unwrap_or_default()
    }

    /// Gives it back for further calls: it has done what it was asked, and nothing is left of it. One that is not given back
    /// is gone.
    pub fn give_back(mut self) {
        let Some(instance) = self.instance.take() else { return };
        let is_worn = instance.calls() >= RECYCLE_AFTER || instance.report().memory > self.most_memory;
        if self.isolation == Isolation::Request || is_worn {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(instance);
        }
        drop(idle);
        drop(self.place);
    }
}

async fn acquire(places: &Arc<Semaphore>, call: &Call) -> Result<OwnedSemaphorePermit, Trouble> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Ok(place);
    }
    match timeout_at(call.until, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => Err(FULL),
    }
}

/// Runs to its end what waits for nothing outside, on this thread.
fn at_once<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let mut work = std::pin::pin!(work);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        // It is pending only to give others a turn, and the time it may compute is limited.
        match work.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(done) => return done,
            std::task::Poll::Pending => std::thread::yield_now(),
        }
    }
}

const FULL: Trouble = Trouble::Unavailable("all its instances are busy");

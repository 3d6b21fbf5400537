//! Work that takes too long for a thread that serves.
//!
//! It is done on other threads, a few pieces of it at a time, so that processors are left to serve with. A place
//! belongs to the work and not to whoever waits for it: one who leaves does not make room for another's text before
//! his own work has ended, which a [`Wanted`] lets it do early.

use std::sync::{Arc, Weak};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Places for long work. Clones share them.
#[derive(Clone)]
pub struct Aside(Arc<Semaphore>);

/// A place for each second processor.
impl Default for Aside {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors.div_ceil(2))))
    }
}

impl Aside {
    /// Does `work` when there is a place for it. `None` if its thread came to nothing.
    pub fn run<T, W>(&self, work: W) -> impl Future<Output = Option<T>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&Wanted) -> T + Send + 'static,
    {
        let places = Arc::clone(&self.0);
        async move {
            let place = places.acquire_owned().await.ok()?;
            let waiting = Arc::new(());
            let wanted = Wanted(Some(Arc::downgrade(&waiting)));
            let working = spawn_blocking(move || {
                let done = work(&wanted);
                drop(place);
                done
            });
            let done = working.await.ok();
            drop(waiting);
            done
        }
    }
}

/// Whether somebody still waits for what is being done.
#[derive(Debug, Clone, Default)]
pub struct Wanted(Option<Weak<()>>);

impl Wanted {
    /// Nobody waits who could leave before it is done.
    pub fn always() -> Self {
        Self(None)
    }

    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|waiting| waiting.strong_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_whose_waiter_has_left_is_told_and_keeps_its_place_until_it_ends() {
        let aside = Aside(Arc::new(Semaphore::new(1)));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go, goes) = mpsc::channel::<()>();
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut first = Box::pin(aside.run(move |wanted| {
            let _ = begun.send(wanted.holds());
            let _ = goes.recv();
            let _ = tell.send(wanted.holds());
        }));
        assert!((&mut first).now_or_never().is_none());
        assert_eq!(has_begun.await, Ok(true));
        drop(first);
        let mut second = Box::pin(aside.run(|_| 2));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(aside.0.available_permits(), 0);
        go.send(()).unwrap();
        assert_eq!(told.await, Ok(false));
        assert_eq!(second.await, Some(2));
    }

    #[tokio::test]
    async fn work_that_panics_comes_to_nothing_and_frees_its_place() {
        let aside = Aside(Arc::new(Semaphore::new(1)));
        assert_eq!(aside.run(|_| -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(aside.run(|_| 1).await, Some(1));
    }
}

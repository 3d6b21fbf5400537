//! The connections to one place.
//!
//! An HTTP/1.1 connection serves one exchange at a time and waits here between two. An HTTP/2 connection serves
//! as many as servers commonly allow, often about a hundred; what exceeds that would wait unseen for a stream
//! that may last minutes, so then a further connection is made.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use hyper::client::conn::http2;
use tokio::time::Instant;

use super::connection::{Held, Http1, Mover, Open, Protocol, Readiness, Seat};
use crate::provider::transport::Body;

/// Exchanges on one HTTP/2 connection before the next one is used.
const WIDTH: usize = 100;
/// Shorter than the idle limit of common load balancers (60 s), so that we close first.
const IDLE: Duration = Duration::from_secs(50);
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Line {
    scheme: Scheme,
    authority: Authority,
    pub(super) host: HeaderValue,
    /// Whether the place is known to speak HTTP/2.
    is_shared: AtomicBool,
    /// Held while a shared connection is made.
    pub(super) making: tokio::sync::Mutex<()>,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    idle: Vec<Idle>,
    shared: Vec<Shared>,
    /// Whether somebody looks after those that lie idle too long.
    is_tended: bool,
}

#[derive(Debug)]
struct Idle {
    http1: Http1,
    /// How many times it was looked at and found idle.
    looks: u32,
}

#[derive(Debug)]
struct Shared {
    sender: http2::SendRequest<Body>,
    taken: Arc<AtomicUsize>,
    used: Instant,
}

impl Line {
    /// `None` if the URL names no place.
    pub(super) fn to(uri: &Uri, protocol: Protocol) -> Option<Self> {
        let authority = uri.authority()?.clone();
        Some(Self {
            scheme: uri.scheme()?.clone(),
            host: HeaderValue::from_str(authority.as_str()).ok()?,
            authority,
            is_shared: AtomicBool::new(protocol == Protocol::Http2),
            making: tokio::sync::Mutex::default(),
            connections: Mutex::default(),
        })
    }

    pub(super) fn leads_to(&self, uri: &Uri) -> bool {
        // Nearly always spelled alike, which is quickly seen; otherwise names of hosts know no case.
        let same_place = |other: &Authority| other.as_str() == self.authority.as_str() || *other == self.authority;
        uri.authority().is_some_and(same_place) && uri.scheme() == Some(&self.scheme)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    /// A connection that is there and has room.
    pub(super) fn take(self: &Arc<Self>, mover: Mover) -> Option<Held> {
        if self.is_shared() {
            return self.shared();
        }
        let mut connections = self.lock();
        // The one that was used last: it is the least likely to be closed at the other end.
        let mut at = connections.idle.len();
        while let Some(idle) = at.checked_sub(1).and_then(|last| connections.idle.get_mut(last)) {
            at -= 1;
            if idle.http1.mover != mover {
                continue;
            }
            let readiness = idle.http1.look();
            if readiness != Readiness::Busy {
                let http1 = connections.idle.remove(at).http1;
                if readiness == Readiness::Ready {
                    return Some(Held::Http1 { http1, line: Arc::clone(self) });
                }
            }
        }
        None
    }

    /// A share of an HTTP/2 connection that has room.
    pub(super) fn shared(self: &Arc<Self>) -> Option<Held> {
        let mut connections = self.lock();
        let has_room =
            |shared: &&mut Shared| !shared.sender.is_closed() && shared.taken.load(Ordering::Relaxed) < WIDTH;
        let shared = connections.shared.iter_mut().find(has_room)?;
        Some(shared.held(self))
    }

    /// Takes a new connection in, and takes it into use.
    pub(super) fn add(self: &Arc<Self>, connection: Open) -> Held {
        self.tend();
        match connection {
            Open::Http1(http1) => Held::Http1 { http1, line: Arc::clone(self) },
            Open::Http2(sender) => {
                self.is_shared.store(true, Ordering::Relaxed);
                let mut shared = Shared { sender, taken: Arc::default(), used: Instant::now() };
                let held = shared.held(self);
                self.lock().shared.push(shared);
                held
            }
        }
    }

    /// Takes an HTTP/1.1 connection back whose exchange is over.
    pub(super) fn put(&self, mut http1: Http1) {
        if http1.look() != Readiness::Closed {
            self.lock().idle.push(Idle { http1, looks: 0 });
        }
    }

    pub(super) fn forget(&self, seat: &Seat) {
        self.lock().shared.retain(|shared| !seat.is_of(&shared.taken));
    }

    /// Sees to it that connections nobody uses are closed.
    fn tend(self: &Arc<Self>) {
        if std::mem::replace(&mut self.lock().is_tended, true) {
            return;
        }
        let line = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(line) = line.upgrade() else { return };
                line.close_idle();
            }
        });
    }

    fn close_idle(&self) {
        let mut connections = self.lock();
        connections.idle.retain_mut(|idle| idle.look_again() != Readiness::Closed);
        connections.shared.retain(|shared| !shared.is_over());
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// One that has been idle for long counts as closed: the other end is about to do so. Its looks are counted, since
    /// a clock would have to be read for each exchange.
    fn look_again(&mut self) -> Readiness {
        self.looks += 1;
        if LOOK_EVERY * self.looks > IDLE { Readiness::Closed } else { self.http1.look() }
    }
}

impl Shared {
    fn held(&mut self, line: &Arc<Line>) -> Held {
        self.used = Instant::now();
        let (sender, seat) = (self.sender.clone(), Seat::take(&self.taken));
        Held::Http2 { sender, seat, line: Arc::clone(line) }
    }

    fn is_over(&self) -> bool {
        let is_unused = self.taken.load(Ordering::Relaxed) == 0;
        self.sender.is_closed() || (is_unused && self.used.elapsed() > IDLE)
    }
}

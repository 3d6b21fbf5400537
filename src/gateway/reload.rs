//! Loading policy files, the first time and again.
//!
//! A start is a reload from nothing. Files are read and everything is compiled off the request path; only a
//! snapshot that is whole is put in charge. On any error the old revision stays, every problem is logged,
//! and both the metric and the admin port say so.
//!
//! Changes are noticed three ways: SIGHUP, the file system's notifications, and a hash of all contents taken
//! each second, since notifications miss what Kubernetes does when it swaps the links of a ConfigMap.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use notify::{RecursiveMode, Watcher as _};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::gateway::jwks::FetchOverPools;
use crate::gateway::{Gateway, World};
use crate::policy::{Environment, Loaded, Parts, Settings, Snapshot, State, compile, load};

/// What a start needs beside the snapshot.
pub struct Start {
    pub snapshot: Arc<Snapshot>,
    pub settings: Settings,
    pub warnings: Vec<String>,
    pub reloader: Reloader,
}

/// The files have errors; the report is for people.
#[derive(Debug)]
pub struct Broken(pub String);

/// What the last attempt to load came to.
#[derive(Debug, Clone)]
pub struct Status {
    pub at: Timestamp,
    /// Errors, one line each; empty if the revision on disk is the one in charge.
    pub problems: Vec<String>,
}

/// Files, and the hash of their contents.
type Seen = (BTreeSet<PathBuf>, String);

/// Certificates in use, to be read again when their files change.
type Renew = Box<dyn Fn(&Settings) -> Result<(), String> + Send + Sync>;

/// Loads the files again when they change.
pub struct Reloader {
    files: Vec<PathBuf>,
    world: Arc<World>,
    status: Mutex<Status>,
    /// The files the last load looked at, and their hash.
    seen: Mutex<Seen>,
    settings: Mutex<Settings>,
    renew: Mutex<Option<Renew>>,
}

/// The pause in which further changes to files are gathered.
const GATHER: Duration = Duration::from_millis(100);

impl Reloader {
    /// Loads the files for the first time.
    ///
    /// # Errors
    /// When they have errors.
    pub fn start(files: &[PathBuf], world: &Arc<World>) -> Result<Start, Broken> {
        let (loaded, seen) = load_seen(files, BTreeSet::new());
        let (snapshot, settings) = make(&loaded, world, None).map_err(Broken)?;
        let warnings = loaded.problems.iter().map(|problem| problem.line(&loaded.sources)).collect();
        let reloader = Self {
            files: files.to_vec(),
            world: Arc::clone(world),
            status: Mutex::new(Status { at: world.clock.now(), problems: Vec::new() }),
            seen: Mutex::new(seen),
            settings: Mutex::new(settings.clone()),
            renew: Mutex::new(None),
        };
        Ok(Start { snapshot: Arc::new(snapshot), settings, warnings, reloader })
    }

    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    /// Has `renew` called with the settings of each good load.
    pub fn on_renewal(&self, renew: impl Fn(&Settings) -> Result<(), String> + Send + Sync + 'static) {
        *lock(&self.renew) = Some(Box::new(renew));
    }

    /// Loads the files again and puts them in charge if they are good. True if they are.
    pub fn reload(&self, gateway: &Gateway) -> bool {
        let known = lock(&self.seen).0.clone();
        let (loaded, seen) = load_seen(&self.files, known);
        *lock(&self.seen) = seen;
        let previous = gateway.pin();
        let made = make(&loaded, &self.world, Some(&previous)).and_then(|(snapshot, settings)| {
            if let Some(renew) = &*lock(&self.renew) {
                renew(&settings)?;
            }
            Ok((snapshot, settings))
        });
        let problems = match made {
            Ok((snapshot, settings)) => {
                self.warn_of_what_needs_a_restart(&settings);
                let snapshot = Arc::new(snapshot);
                gateway.put_in_charge(Arc::clone(&snapshot));
                info!(revision = %snapshot.revision, "the files were loaded and are in charge");
                Vec::new()
            }
            Err(report) => {
                self.world.metrics.reload_failed();
                error!("the files have errors; the revision before stays in charge\n{report}");
                lines_of(&loaded, &report)
            }
        };
        let is_good = problems.is_empty();
        *lock(&self.status) = Status { at: self.world.clock.now(), problems };
        is_good
    }

    /// Watches the files, and reloads when they change or `hang_up` (SIGHUP) comes. Never returns.
    pub async fn watch(self: Arc<Self>, gateway: Arc<Gateway>, mut hang_up: Signal) {
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = self.notifications(changed);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            let is_asked = tokio::select! {
                _ = hang_up.recv() => true,
                Some(()) = changes.recv() => {
                    tokio::time::sleep(GATHER).await;
                    while changes.try_recv().is_ok() {}
                    false
                }
                _ = tick.tick() => false,
            };
            let (this, gateway) = (Arc::clone(&self), Arc::clone(&gateway));
            // Reading and compiling would hold up the requests of this thread.
            let outcome = tokio::task::spawn_blocking(move || {
                if is_asked || this.has_changed() {
                    this.reload(&gateway);
                }
            });
            if let Err(error) = outcome.await {
                error!(%error, "a reload broke off; the revision before stays in charge");
            }
        }
    }

    fn has_changed(&self) -> bool {
        let (files, hash) = lock(&self.seen).clone();
        contents(&files) != hash
    }

    /// Notifications for the folders of all files. Where they cannot be had, the hash must do.
    fn notifications(&self, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
        let on_event = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel means that a reload is due already.
                let _ = changed.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(on_event)
            .inspect_err(|error| warn!(%error, "no notifications of changed files; they are looked at each second"))
            .ok()?;
        for folder in folders(&lock(&self.seen).0) {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                warn!(%error, folder = %folder.display(), "no notifications of this folder; it is looked at each second");
            }
        }
        Some(watcher)
    }

    /// Sockets are bound once.
    fn warn_of_what_needs_a_restart(&self, settings: &Settings) {
        let mut before = lock(&self.settings);
        let bound =
            |settings: &Settings| (settings.listen, settings.admin, settings.connections, settings.tls.is_some());
        if bound(&before) != bound(settings) {
            warn!("a change of listen, admin, limits of connections, or TLS on or off takes effect at the next start");
        }
        *before = settings.clone();
    }
}

/// Compiles what was loaded, or reports all that is wrong.
fn make(loaded: &Loaded, world: &World, previous: Option<&Snapshot>) -> Result<(Snapshot, Settings), String> {
    let Some(config) = &loaded.config else { return Err(loaded.report(&loaded.problems)) };
    let environment = Environment::process();
    let parts = Parts {
        pools: &world.pools,
        health: &world.health,
        canaries: &world.canaries,
        stores: &world.stores,
        fetch: Arc::new(FetchOverPools(Arc::clone(&world.pools))),
        environment: &environment,
        callers: None,
        previous: previous.map(|snapshot| &snapshot.authenticator),
        shows_raw: world.shows_raw(),
        now: world.clock.now(),
    };
    let snapshot = compile(config, &loaded.revision, &parts).map_err(|problems| loaded.report(&problems))?;
    let settings = Settings::of(config, &environment).map_err(|problem| loaded.report(&[problem]))?;
    if let Some(State::Shared(shared)) = &config.state {
        // It is opened when the process starts; here it is only seen whether it could be.
        shared.settings(&environment).map_err(|problem| loaded.report(&[problem]))?;
    }
    config.seed(&environment).map_err(|problem| loaded.report(&[problem]))?;
    Ok((snapshot, settings))
}

/// The problems as lines, or the report where the files themselves are fine.
fn lines_of(loaded: &Loaded, report: &str) -> Vec<String> {
    let errors = loaded.problems.iter().filter(|problem| problem.is_error());
    let lines: Vec<_> = errors.map(|problem| problem.line(&loaded.sources)).collect();
    if lines.is_empty() { vec![report.to_owned()] } else { lines }
}

/// Loads `files`; `known` is what was watched so far.
fn load_seen(files: &[PathBuf], known: BTreeSet<PathBuf>) -> (Loaded, Seen) {
    seen_before(known, || {
        let loaded = load(files, &Environment::process());
        let watched = loaded.watched(&Environment::process()).into_iter().collect();
        (loaded, watched)
    })
}

/// How often a load is begun anew because it looked at other files than the one before.
const LOADS: usize = 3;

/// Loads, and says what the files were like before: a change in the middle of a load makes another one due,
/// rather than being taken for loaded. `load` says which files it looked at.
fn seen_before<T>(mut known: BTreeSet<PathBuf>, mut load: impl FnMut() -> (T, BTreeSet<PathBuf>)) -> (T, Seen) {
    let mut loads = 0;
    loop {
        let before = contents(&known);
        let (loaded, watched) = load();
        loads += 1;
        if watched == known || loads == LOADS {
            return (loaded, (watched, before));
        }
        known = watched;
    }
}

/// A hash of the contents of files and of what lies beside them, so that a new file is noticed, too.
fn contents(files: &BTreeSet<PathBuf>) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.as_os_str().as_encoded_bytes());
        match fs::read(file) {
            Ok(bytes) => hasher.update(Sha256::digest(bytes)),
            Err(_) => hasher.update("gone"),
        }
    }
    for folder in folders(files) {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let names: BTreeSet<_> = entries
            .map(|entry| entry.file_name())
            .filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml"))
            .collect();
        for name in names {
            hasher.update(name.as_encoded_bytes());
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folders(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let here = || PathBuf::from(".");
    files
        .iter()
        .filter_map(|file| file.parent())
        .map(|folder| if folder.as_os_str().is_empty() { here() } else { folder.to_owned() })
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_loaded_is_loaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        fs::write(&file, "old").unwrap();
        let files = BTreeSet::from([file.clone()]);
        let (loaded, (watched, hash)) = seen_before(BTreeSet::new(), || {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, "new").unwrap();
            (text, files.clone())
        });
        assert!(loaded == "new" || contents(&watched) != hash, "`{loaded}` is taken for what is there");
        let (_, (watched, hash)) = seen_before(files.clone(), || ((), files.clone()));
        assert_eq!(contents(&watched), hash);
    }
}

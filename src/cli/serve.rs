//! `tidegate serve`: run the gateway until told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::base::clock::Clock;
use crate::base::duration;
use crate::gateway::reload::{Broken, Reloader, Start};
use crate::gateway::{self, Gateway, World};
use crate::policy::{self, Connections, Environment, State};
use crate::provider::Pools;
use crate::server::{self, Drain, Listener, TlsSettings, Workers};
use crate::state::{Embedded, EmbeddedAnswers, EmbeddedKv, Ledger, Options, Shared, Trouble};
use crate::steps::Stores;
use crate::telemetry::{AccessLog, log};

/// What `serve` can be told.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The gateway file; further ones are laid over it
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = "tidegate.yaml")]
    pub files: Vec<PathBuf>,
    /// Listen here instead of where the file says
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Serve health and metrics here instead of where the file says
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<SocketAddr>,
    /// Let collectors of traces have texts as callers have sent them, where the file says `content: raw`
    #[arg(long)]
    pub raw_content: bool,
    /// Write no access log
    #[arg(long)]
    pub no_access_log: bool,
}

const BAD_FILES: u8 = 1;
const NOT_STARTED: u8 = 2;
const PORT_TAKEN: u8 = 3;
const CUT_OFF: u8 = 4;
/// How long tokens of the last requests may be counted.
const CLOSING: Duration = Duration::from_secs(2);
/// How long requests that are cut off may take to go.
const CUTTING: Duration = Duration::from_secs(1);
/// How long other gateways may take to be told how answers have fared here.
const TELLING: Duration = Duration::from_secs(1);
/// How long collectors may take the last traces, and after these the last metrics.
const FLUSH: Duration = Duration::from_secs(3);

pub fn run(args: &ServeArgs) -> ExitCode {
    run_with(args, |_, _| {})
}

/// Runs the gateway and calls `up` with its two addresses once it listens.
pub fn run_with(args: &ServeArgs, up: impl FnOnce(SocketAddr, SocketAddr)) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::from(NOT_STARTED);
        }
    };
    let code = runtime.block_on(serve(args, up));
    // Blocking tasks (a name look-up, a file watch) must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

async fn serve(args: &ServeArgs, up: impl FnOnce(SocketAddr, SocketAddr)) -> ExitCode {
    let access = if args.no_access_log { AccessLog::off() } else { AccessLog::stdout() };
    let clock = Clock::system();
    let world = World::new(clock, Arc::new(Pools::new()), access);
    let options = Options { synced: Arc::new(world.metrics.ledger_synced()), ..Options::default() };
    let (stores, shared) = match stores(&args.files, &options, clock).await {
        Ok(stores) => stores,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            return ExitCode::from(NOT_STARTED);
        }
    };
    let world = world.with(stores);
    let world = Arc::new(if args.raw_content { world.showing_raw() } else { world });
    let start = match Reloader::start(&args.files, &world) {
        Ok(start) => start,
        Err(Broken(report)) => {
            eprint!("{report}");
            eprintln!("error: not started, since the files have errors");
            return ExitCode::from(BAD_FILES);
        }
    };
    let format = if start.settings.log_is_json { log::Format::Json } else { log::Format::Pretty };
    if let Err(message) = log::start(format, start.settings.log_level) {
        eprintln!("error: {message}");
        return ExitCode::from(BAD_FILES);
    }
    if let Some(why) = shared.and_then(|shared| shared.trouble()) {
        error!(%why, "the shared store cannot be reached; the gateway starts without it");
    }
    for warning in &start.warnings {
        warn!("{warning}");
    }
    let (data, admin) = match listeners(args, &start).await {
        Ok(listeners) => listeners,
        Err(code) => return code,
    };
    let (Ok(data_address), Ok(admin_address)) = (data.address(), admin.address()) else {
        return ExitCode::from(NOT_STARTED);
    };
    // Before anybody is told that we are up: by default these signals end a process on the spot.
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("error: cannot listen for signals: {error}");
            return ExitCode::from(NOT_STARTED);
        }
    };
    let gateway = Arc::new(Gateway::new(Arc::clone(&world), start.snapshot));
    gateway.pin().authenticator.tend().await;
    info!(listen = %data_address, admin = %admin_address, revision = %gateway.pin().revision, "ready");
    up(data_address, admin_address);
    run_until_stopped(gateway, Arc::new(start.reloader), data, admin, signals, start.settings.drain).await
}

/// The stores that the files ask for. What is wrong with the files themselves is said later.
async fn stores(files: &[PathBuf], options: &Options, clock: Clock) -> Result<(Stores, Option<Arc<Shared>>), String> {
    let environment = Environment::process();
    let Some(config) = policy::load(files, &environment).config else { return Ok((Stores::default(), None)) };
    // A key that is not there is a problem with the files.
    let seed = Arc::new(config.seed(&environment).unwrap_or_default());
    let (stores, shared) = books(config.state, options, &environment, clock).await?;
    Ok((Stores { seed, ..stores }, shared))
}

/// Where what requests cost is kept.
async fn books(
    state: Option<State>,
    options: &Options,
    environment: &Environment,
    clock: Clock,
) -> Result<(Stores, Option<Arc<Shared>>), String> {
    let open =
        |folder: &Path| Embedded::open(folder, options, clock.now()).map_err(|trouble: Trouble| trouble.to_string());
    match state {
        None => Ok((Stores::default(), None)),
        Some(State::Folder(folder)) => {
            let ledger: Arc<dyn Ledger> = Arc::new(open(&folder)?);
            // In the folder that the ledger has locked.
            let kv = EmbeddedKv::open(&folder.join("kv"), clock).map_err(|trouble| trouble.to_string())?;
            let answers =
                EmbeddedAnswers::open(&folder.join("answers"), clock).map_err(|trouble| trouble.to_string())?;
            let (kv, answers) = (Arc::new(kv), Arc::new(answers));
            Ok((Stores { ledger: Some(ledger), kv, answers, ..Stores::default() }, None))
        }
        Some(State::Shared(state)) => {
            let Ok(settings) = state.settings(environment) else { return Ok((Stores::default(), None)) };
            let lines = state.folder.as_deref().map(open).transpose()?;
            let shared = Arc::new(Shared::open(&settings, lines).await?);
            let ledger: Arc<dyn Ledger> = Arc::clone(&shared) as _;
            let (windows, places, kv) = (shared.windows(), shared.places(), shared.kv());
            let (answers, ledger) = (shared.answers(), Some(ledger));
            Ok((Stores { windows, places, kv, answers, ledger, ..Stores::default() }, Some(shared)))
        }
    }
}

async fn listeners(args: &ServeArgs, start: &Start) -> Result<(Listener, Listener), ExitCode> {
    let tls = match &start.settings.tls {
        None => None,
        Some(files) => match TlsSettings::read(files) {
            Ok(tls) => {
                let renewed = tls.clone();
                start.reloader.on_renewal(move |settings| match &settings.tls {
                    Some(files) => renewed.read_again(files),
                    None => Ok(()),
                });
                Some(tls)
            }
            Err(message) => {
                eprintln!("error: {message}");
                return Err(ExitCode::from(BAD_FILES));
            }
        },
    };
    let limits = start.settings.connections;
    let data = bind(args.listen.unwrap_or(start.settings.listen), tls, limits).await?;
    let admin = bind(args.admin.unwrap_or(start.settings.admin), None, limits).await?;
    Ok((data, admin))
}

async fn bind(address: SocketAddr, tls: Option<TlsSettings>, limits: Connections) -> Result<Listener, ExitCode> {
    server::bind(address, tls, limits).await.map_err(|error| {
        eprintln!("error: cannot listen on {address}: {error}");
        ExitCode::from(PORT_TAKEN)
    })
}

async fn run_until_stopped(
    gateway: Arc<Gateway>,
    reloader: Arc<Reloader>,
    data: Listener,
    admin: Listener,
    signals: Signals,
    patience: Duration,
) -> ExitCode {
    // The admin port outlives the data port, so that probes see the draining.
    let (data_drain, admin_drain) = (Drain::default(), Drain::default());
    let workers = match Workers::start() {
        Ok(workers) => Arc::new(workers),
        Err(error) => {
            error!(%error, "no threads to serve connections on");
            return ExitCode::from(NOT_STARTED);
        }
    };
    let serving = server::serve(Arc::clone(&gateway), data, Arc::clone(&workers), data_drain.clone());
    let probes = server::serve_admin(
        Arc::clone(&gateway),
        Arc::clone(&reloader),
        data_drain.clone(),
        admin,
        admin_drain.clone(),
    );
    let watching = reloader.watch(Arc::clone(&gateway), signals.hang_up);
    let tending = tend(Arc::clone(&gateway));
    let notifying = gateway::notify(Arc::clone(&gateway));
    let served = tokio::spawn(serving);
    let background = tokio::spawn(async move { tokio::join!(probes, watching, tending, notifying) });
    signals.stop.asked().await;
    info!(patience = %duration::show(patience), "draining");
    data_drain.begin();
    let mut code = ExitCode::SUCCESS;
    if tokio::time::timeout(patience, data_drain.done()).await.is_err() {
        warn!("requests that were still under way are cut off");
        code = ExitCode::from(CUT_OFF);
    }
    served.abort();
    // What is not counted by then is estimated.
    let _ = tokio::time::timeout(CLOSING, gateway.world().closed()).await;
    drop(workers);
    // Requests that are cut off have cost something as well: that is known when their connections are gone.
    let _ = tokio::time::timeout(CUTTING, data_drain.done()).await;
    // Traces that are lost are counted.
    gateway.world().traces.flush(FLUSH).await;
    gateway.world().meters.flush(FLUSH).await;
    let stores = &gateway.world().stores;
    let _ = tokio::time::timeout(FLUSH, stores.answers.flush()).await;
    let _ = tokio::time::timeout(TELLING, stores.repertoires.told(&stores.trust)).await;
    background.abort();
    gateway.world().access.flush();
    gateway.world().decisions.flush();
    if let Some(ledger) = &gateway.world().stores.ledger
        && let Err(error) = ledger.flush().await
    {
        error!(%error, "what was spent last could not be written");
    }
    info!("stopped");
    code
}

/// Keeps the keys of token issuers fresh, and gives up on requests that the ledger waits for in vain.
async fn tend(gateway: Arc<Gateway>) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        gateway.pin().authenticator.tend().await;
        if let Some(ledger) = &gateway.world().stores.ledger {
            ledger.lapse(gateway.world().clock.now());
        }
    }
}

/// What the process listens for.
struct Signals {
    hang_up: Signal,
    stop: Stop,
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let stop = Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        Ok(Self { hang_up: signal(SignalKind::hangup())?, stop })
    }
}

impl Stop {
    /// Resolves at the first of them. The second ends the process at once.
    async fn asked(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(i32::from(CUT_OFF));
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

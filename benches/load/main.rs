//! A load comparison with plain reverse proxies: what does the gateway cost beside no policy at all?
//!
//! One process is mock upstream and client; each subject is a child process between the two, and the CPU
//! time the kernel books on it is the headline, since other load on the machine hardly moves it. Subjects
//! take turns within each cell, so that what does move it moves all.
//!
//! `benches/README.md` says how to run it and how to read it. It asserts nothing.

mod apart;
mod bare;
mod cell;
mod client;
mod http;
mod mock;
mod proc;
mod report;
mod subject;
#[path = "../../tests/support/wasm.rs"]
mod wasm;

use std::io;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use cell::{Cell, Pace, Text, Traffic};
use mock::{Manner, Mock};
use proc::Memory;
use subject::{Kind, Subject};

#[derive(Parser)]
#[command(name = "load", about = "Compares Tidegate with plain reverse proxies under load")]
struct Options {
    /// Fewer and shorter rounds: the first digit, in a minute or two
    #[arg(long)]
    quick: bool,
    /// The subjects, in the order of their turns; all that are installed if not said
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "whole,burst,paced,memory")]
    what: Vec<What>,
    /// Bytes of request bodies
    #[arg(long, value_delimiter = ',', default_value = "300,16384,262144")]
    size: Vec<usize>,
    /// What requests say
    #[arg(long, value_enum, default_value_t)]
    text: Text,
    /// Connections at once
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Turns of each subject in each cell; 5, or 3 when quick
    #[arg(long)]
    rounds: Option<usize>,
    /// Keeps the bench to the first processor and subjects to the others
    #[arg(long)]
    apart: bool,
    /// How many streams are held open to see what they take in memory
    #[arg(long, default_value_t = 1000)]
    open: usize,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Answers in one piece
    Whole,
    /// Streams as fast as they go
    Burst,
    /// Streams with a chunk each 20 ms, on 100 connections
    Paced,
    /// Resident memory, idle and with open streams
    Memory,
}

const BURST: Traffic = Traffic::Burst { chunks: 1000 };
const PACED: Traffic = Traffic::Paced { chunks: 250, pause: Duration::from_millis(20) };
const PACED_CONNECTIONS: usize = 100;
/// The size of the requests for streams.
const SMALL: usize = 300;

fn main() -> io::Result<()> {
    if let [_, command, listen, upstream] = &*std::env::args().collect::<Vec<_>>()
        && command == subject::BARE
    {
        let address = |text: &String| text.parse().map_err(|_| http::wrong(format!("`{text}` is not an address")));
        return bare::run(address(listen)?, address(upstream)?);
    }
    // `cargo test --benches` runs this too, and wants to know only that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing was measured: run `cargo bench --bench load`");
        return Ok(());
    }
    let options = Options::parse();
    let kinds = options.kinds();
    if let Some(absent) = kinds.iter().find(|kind| **kind != Kind::Direct && kind.program().is_none()) {
        let name = absent.name();
        println!("nothing was measured: `{name}` is not installed (Debian: `apt install {name}`)");
        return Ok(());
    }
    let processors = processors();
    if options.apart {
        apart::stay_on_the_first(processors)?;
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        tokio::select! {
            compared = compare(&options, &kinds, processors) => compared,
            // Subjects end when they are dropped, and stay behind when this process is simply killed.
            stopped = stop_signal() => stopped,
        }
    })
}

async fn stop_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    println!("stopped");
    Ok(())
}

impl Options {
    fn kinds(&self) -> Vec<Kind> {
        if !self.only.is_empty() {
            let mut only = self.only.clone();
            // The last is left out where it has nothing to say.
            only.sort_by_key(|kind| *kind == Kind::Cached);
            return only;
        }
        let all = [
            Kind::Direct,
            Kind::Nginx,
            Kind::Haproxy,
            Kind::Hyper,
            Kind::Tidegate,
            Kind::Limited,
            Kind::Guarded,
            Kind::Restored,
            Kind::Plugged,
            Kind::Cached,
        ];
        all.into_iter().filter(|kind| *kind != Kind::Haproxy || kind.program().is_some()).collect()
    }

    fn pace(&self) -> Pace {
        let (rounds, warm_up, window) = if self.quick { (3, 100, 500) } else { (5, 300, 1500) };
        Pace {
            rounds: self.rounds.unwrap_or(rounds),
            warm_up: Duration::from_millis(warm_up),
            window: Duration::from_millis(window),
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for what in &self.what {
            match what {
                What::Whole => cells.extend(self.size.iter().flat_map(|size| {
                    let cell = |connections: &usize| Cell {
                        traffic: Traffic::Whole,
                        size: *size,
                        text: self.text,
                        connections: *connections,
                    };
                    self.connections.iter().map(cell)
                })),
                What::Burst => cells.extend(self.connections.iter().map(|connections| Cell {
                    traffic: BURST,
                    size: SMALL,
                    text: self.text,
                    connections: *connections,
                })),
                What::Paced => {
                    cells.push(Cell { traffic: PACED, size: SMALL, text: self.text, connections: PACED_CONNECTIONS });
                }
                What::Memory => {}
            }
        }
        cells
    }
}

async fn compare(options: &Options, kinds: &[Kind], processors: usize) -> io::Result<()> {
    let epoch = Instant::now();
    let mock = Mock::start(epoch)?;
    let mut subjects = Vec::new();
    for kind in kinds {
        let mut subject = Subject::spawn(*kind, mock.address(), options.apart.then_some(processors))?;
        let key = subject.key()?;
        subject.wait_until(async |to| first_answer(to, key.as_deref()).await).await?;
        subjects.push(subject);
    }
    println!("{processors} processors, load average {}\n", proc::load_average());
    for subject in subjects.iter().filter(|subject| subject.kind != Kind::Direct) {
        println!("  {:<9} first answer {:>4} ms after its start", subject.kind.name(), subject.started_in.as_millis());
    }
    println!();
    if options.what.contains(&What::Memory) {
        remember(&subjects, &mock, options.open).await?;
    }
    for cell in options.cells() {
        let kinds: Vec<_> = kinds.iter().copied().filter(|kind| kind.takes_part(cell.traffic)).collect();
        let taking_part = subjects.get(..kinds.len()).unwrap_or_default();
        let rounds = cell.measure(taking_part, &mock, options.pace(), epoch).await?;
        println!(
            "{}  others took {:.0}% of the machine\n",
            report::table(&cell, &kinds, &rounds),
            report::foreign(&rounds) * 100.0
        );
    }
    println!("load average {}", proc::load_average());
    Ok(())
}

/// A subject is ready when its answer is the mock's.
async fn first_answer(to: std::net::SocketAddr, key: Option<&str>) -> io::Result<()> {
    let body = client::ask(to, &cell::request(to, key, SMALL, Text::Clean, Traffic::Whole)).await?;
    if body == mock::whole_body().as_bytes() {
        return Ok(());
    }
    Err(http::wrong(format!("this is not what the upstream said: {}", String::from_utf8_lossy(&body))))
}

/// What the subjects take before there was load, and with streams open.
async fn remember(subjects: &[Subject], mock: &Mock, open: usize) -> io::Result<()> {
    // Both ends of both connections but the subject's own are ours.
    let files = proc::open_files_limit().unwrap_or(usize::MAX);
    if files < 2 * open + 64 {
        println!(
            "memory: not measured with {open} open streams: raise the limit of open files with `ulimit -n {}`\n",
            2 * open + 64
        );
        return Ok(());
    }
    println!("memory, MiB resident (shared pages divided)");
    println!("  {:<9} {:>16} {:>24}", "", "idle", format!("{open} open streams"));
    mock.set(Manner::Held);
    // One stream that is kept is no thousand of them.
    for subject in subjects.iter().filter(|subject| subject.kind != Kind::Cached) {
        let Some(family) = subject.family()? else { continue };
        let idle = family.memory()?;
        let request = cell::request(subject.address, subject.key()?.as_deref(), SMALL, Text::Clean, BURST);
        let mut streams = Vec::new();
        for _ in 0..open {
            streams.push(client::open(subject.address, &request).await?);
        }
        let loaded = family.memory()?;
        println!("  {:<9} {:>16} {:>24}", subject.kind.name(), mebibytes(idle), mebibytes(loaded));
    }
    println!();
    Ok(())
}

fn mebibytes(memory: Memory) -> String {
    let mebi = |kibi: u64| kibi as f64 / 1024.0;
    format!("{:.1} ({:.1})", mebi(memory.rss), mebi(memory.pss))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

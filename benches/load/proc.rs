//! What the kernel says about processes: CPU time and memory.
//!
//! A subject is its process and all that came of it (nginx has workers). Times are those of
//! `/proc/PID/stat`, which has them in hundredths of a second, threads that have ended included.

use std::fs;
use std::io;
use std::time::Duration;

use crate::http::wrong;

/// `USER_HZ`: part of the kernel's interface, and 100 wherever this runs.
const TICKS_PER_SECOND: u32 = 100;

/// A process and its descendants.
pub struct Family(Vec<u32>);

/// Memory in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident; what processes share counts for each of them.
    pub rss: u64,
    /// Resident; what processes share is divided among them.
    pub pss: u64,
}

/// What all processors have done since the machine was started.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    pub busy: Duration,
    pub total: Duration,
}

impl Family {
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // A process may end while we look.
            if let Ok(fields) = stat(pid) {
                parents.push((pid, fields.get(1).and_then(|parent| parent.parse::<u32>().ok()).unwrap_or_default()));
            }
        }
        let mut family = vec![pid];
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            next += 1;
        }
        Ok(Self(family))
    }

    /// User and system time of all threads.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.0.iter().map(|pid| cpu(*pid)).sum()
    }

    /// # Errors
    /// When a process is gone.
    pub fn memory(&self) -> io::Result<Memory> {
        let mut sum = Memory::default();
        for pid in &self.0 {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
            };
            sum.rss += field("Rss:").ok_or_else(|| wrong("smaps_rollup without `Rss`"))?;
            sum.pss += field("Pss:").ok_or_else(|| wrong("smaps_rollup without `Pss`"))?;
        }
        Ok(sum)
    }
}

impl Machine {
    /// # Errors
    /// When `/proc/stat` cannot be read.
    pub fn now() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let ticks: Vec<u64> = line.split_ascii_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
        let total: u64 = ticks.iter().sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self { busy: from_ticks(total - idle), total: from_ticks(total) })
    }
}

/// User and system time of one process.
///
/// # Errors
/// When it is gone.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let fields = stat(pid)?;
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let both = ticks(11).zip(ticks(12)).ok_or_else(|| wrong("/proc/PID/stat is too short"))?;
    Ok(from_ticks(both.0 + both.1))
}

/// The machine's load averages, as the kernel writes them.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// How many files this process may have open.
pub fn open_files_limit() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_ascii_whitespace().next()?;
    if soft == "unlimited" { Some(usize::MAX) } else { soft.parse().ok() }
}

/// The fields of `/proc/PID/stat` from the state on. The name before it may hold anything.
fn stat(pid: u32) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(')').ok_or_else(|| wrong("/proc/PID/stat without a name"))?;
    Ok(fields.split_ascii_whitespace().map(str::to_owned).collect())
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * u64::from(1000 / TICKS_PER_SECOND))
}

//! The system interface that compilers and language runtimes expect, and nothing behind it.
//!
//! There are no arguments, no environment, no files, no sockets and no input. What is written to the standard streams becomes
//! lines of the plugin's log, at the lowest level, since what a runtime says of a panic may quote a request. Time stands
//! still unless `clock` is granted, and what stands in for randomness is the same every time. Everything else traps when it is
//! called.

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource, ResourceAny, ResourceType, Val};

use super::Host;
use crate::wasm::bindings::tidegate::plugin::log::Level;
use crate::wasm::trouble::Overrun;

/// Stands behind every handle of the system's.
enum Nothing {}

/// Offers a component what it imports of the system.
///
/// # Errors
/// When an import is not shaped as the system's are.
pub fn link(linker: &mut Linker<Host>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        if !name.starts_with("wasi:") {
            continue;
        }
        let interface = name.split('@').next().unwrap_or(name).to_owned();
        let mut offered = linker.instance(name)?;
        for (item, kind) in instance.exports(engine) {
            match kind.ty {
                ComponentItem::Resource(_) => {
                    offered.resource(item, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => {
                    let call = Call::named(&interface, item);
                    offered.func_new(item, move |mut cx, _, params, results| {
                        cx.data_mut().enter()?;
                        call.answer(&mut cx, params, results)?;
                        params.iter().try_for_each(|param| let_go(&mut cx, param))
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A function of the system's.
#[derive(Clone, Copy)]
enum Call {
    /// Gives an empty list.
    Nothing,
    /// Gives no value.
    Absent,
    /// Gives a handle.
    Handle,
    /// Succeeds and gives nothing.
    Done,
    /// Returns.
    Return,
    /// There is room for so much to be written.
    Room,
    Write,
    /// There is nothing to read, and never will be.
    Closed,
    /// Whatever was waited for has happened.
    Ready,
    AllReady,
    Monotonic,
    Resolution,
    Wall,
    WallResolution,
    RandomBytes,
    RandomNumber,
    RandomPair,
    Exit,
    Forbidden,
}

impl Call {
    fn named(interface: &str, function: &str) -> Self {
        let function = function.rsplit('.').next().unwrap_or(function);
        match (interface, function) {
            ("wasi:cli/environment", "get-environment" | "get-arguments")
            | ("wasi:filesystem/preopens", "get-directories") => Self::Nothing,
            ("wasi:cli/environment", _) | ("wasi:filesystem/types", "filesystem-error-code") => Self::Absent,
            ("wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr", _) | (_, "subscribe") => Self::Handle,
            ("wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr", _) => Self::Absent,
            ("wasi:cli/exit", _) => Self::Exit,
            ("wasi:io/streams", "check-write") => Self::Room,
            ("wasi:io/streams", "write" | "blocking-write-and-flush") => Self::Write,
            ("wasi:io/streams", "flush" | "blocking-flush") => Self::Done,
            ("wasi:io/streams", "read" | "blocking-read" | "skip" | "blocking-skip") => Self::Closed,
            ("wasi:io/poll", "poll") => Self::AllReady,
            ("wasi:io/poll", "ready") => Self::Ready,
            ("wasi:io/poll", "block") => Self::Return,
            ("wasi:clocks/monotonic-clock", "now") => Self::Monotonic,
            ("wasi:clocks/monotonic-clock", "resolution") => Self::Resolution,
            ("wasi:clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => Self::Handle,
            ("wasi:clocks/wall-clock", "now") => Self::Wall,
            ("wasi:clocks/wall-clock", "resolution") => Self::WallResolution,
            ("wasi:random/random" | "wasi:random/insecure", name) if name.ends_with("-bytes") => Self::RandomBytes,
            ("wasi:random/random" | "wasi:random/insecure", _) => Self::RandomNumber,
            ("wasi:random/insecure-seed", _) => Self::RandomPair,
            _ => Self::Forbidden,
        }
    }

    fn answer(self, cx: &mut StoreContextMut<'_, Host>, params: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
        let value = match self {
            Self::Return => return Ok(()),
            Self::Exit => return Err(Overrun::Exited.into()),
            Self::Forbidden => {
                return Err(Overrun::NotGranted("it called a function of the system that plugins do not have").into());
            }
            Self::Nothing => Val::List(Vec::new()),
            Self::Absent => Val::Option(None),
            Self::Handle => {
                let handle = Resource::<Nothing>::new_own(0);
                Val::Resource(ResourceAny::try_from_resource(handle, &mut *cx)?)
            }
            Self::Done => Val::Result(Ok(None)),
            Self::Room => Val::Result(Ok(Some(Box::new(Val::U64(4_096))))),
            Self::Write => {
                let text = text_of(params.get(1));
                cx.data_mut().line(Level::Trace, text.trim_end());
                Val::Result(Ok(None))
            }
            Self::Closed => Val::Result(Err(Some(Box::new(Val::Variant("closed".into(), None))))),
            Self::Ready => Val::Bool(true),
            Self::AllReady => {
                let count = match params.first() {
                    Some(Val::List(handles)) => u32::try_from(handles.len()).unwrap_or(0),
                    _ => 0,
                };
                Val::List((0..count).map(Val::U32).collect())
            }
            Self::Monotonic => Val::U64(cx.data().elapsed_ns()),
            Self::Resolution => Val::U64(1_000_000),
            Self::Wall => {
                let ms = cx.data().wall_ms();
                wall(ms / 1_000, ms % 1_000 * 1_000_000)
            }
            Self::WallResolution => wall(0, 1_000_000),
            Self::RandomBytes => {
                let count = match params.first() {
                    Some(Val::U64(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
                    _ => 0,
                };
                if count > MOST_RANDOM {
                    return Err(Overrun::Random.into());
                }
                let host = cx.data_mut();
                Val::List((0..count).map(|_| Val::U8(host.number().to_le_bytes()[0])).collect())
            }
            Self::RandomNumber => Val::U64(cx.data_mut().number()),
            Self::RandomPair => {
                let host = cx.data_mut();
                Val::Tuple(vec![Val::U64(host.number()), Val::U64(host.number())])
            }
        };
        if let Some(result) = results.first_mut() {
            *result = value;
        }
        Ok(())
    }
}

impl Host {
    fn elapsed_ns(&self) -> u64 {
        match self.abilities.clock.filter(|_| self.is_granted) {
            Some(clock) => u64::try_from(clock.since_start().as_millis()).unwrap_or(0).saturating_mul(1_000_000),
            None => 0,
        }
    }

    fn wall_ms(&self) -> u64 {
        let clock = self.abilities.clock.filter(|_| self.is_granted);
        clock.map_or(0, |clock| u64::try_from(clock.now().as_millisecond()).unwrap_or(0))
    }

    /// The next of a fixed row of numbers (splitmix64): for the seeds of hash tables, which need something.
    fn number(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn wall(seconds: u64, nanoseconds: u64) -> Val {
    let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0);
    Val::Record(vec![("seconds".into(), Val::U64(seconds)), ("nanoseconds".into(), Val::U32(nanoseconds))])
}

fn text_of(value: Option<&Val>) -> String {
    let Some(Val::List(bytes)) = value else { return String::new() };
    let bytes = bytes.iter().map(|byte| if let Val::U8(byte) = byte { *byte } else { b'?' });
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// A handle that was lent has to be given back before the call returns.
fn let_go(cx: &mut StoreContextMut<'_, Host>, value: &Val) -> wasmtime::Result<()> {
    match value {
        Val::Resource(handle) => handle.try_into_resource::<Nothing>(&mut *cx).map(drop),
        Val::List(values) => values.iter().try_for_each(|value| let_go(cx, value)),
        _ => Ok(()),
    }
}

const MOST_RANDOM: usize = 4_096;

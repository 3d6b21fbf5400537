//! Where a request stands in a trace: W3C Trace Context, level 1.
//!
//! A request without a context, or with one that is malformed, begins a trace of its own.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A trace: 16 bytes that are not all zero, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// A span of a trace: 8 bytes that are not all zero, written as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

impl TraceId {
    pub fn fresh() -> Self {
        Self(draw(|random| random.u128(1..)))
    }

    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub fn to_hex(self) -> [u8; 32] {
        let mut hex = [0; 32];
        write_hex(&self.to_bytes(), &mut hex);
        hex
    }
}

impl SpanId {
    pub fn fresh() -> Self {
        Self(draw(|random| random.u64(1..)))
    }

    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A request's place in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// The span of the request itself.
    pub span: SpanId,
    /// The caller's span, if the trace is the caller's.
    pub parent: Option<SpanId>,
    /// Whether the caller records the trace, as far as it has said.
    pub is_sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace.
    pub fn fresh() -> Self {
        Self { trace: TraceId::fresh(), span: SpanId::fresh(), parent: None, is_sampled: true }
    }

    /// The context that a request's headers continue. There must be exactly one `traceparent`.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        match (lines.next().and_then(|line| read(line.as_bytes())), lines.next()) {
            (Some((trace, parent, is_sampled)), None) => {
                Self { trace, span: SpanId::fresh(), parent: Some(parent), is_sampled }
            }
            _ => Self::fresh(),
        }
    }

    /// Puts the context of a request that `span` of this trace makes among its headers. A `tracestate` that came with
    /// no sound `traceparent` says nothing of this trace, and is taken out.
    pub fn pass_on(&self, span: SpanId, headers: &mut HeaderMap) {
        let line = format!("00-{}-{span}-{:02x}", self.trace, u8::from(self.is_sampled));
        if let Ok(line) = HeaderValue::try_from(line) {
            headers.insert(TRACEPARENT, line);
        }
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }
}

/// Reads a `traceparent`. Later versions may have more to say, behind a further hyphen.
fn read(line: &[u8]) -> Option<(TraceId, SpanId, bool)> {
    let (known, rest) = line.split_at_checked(LENGTH)?;
    let version = u8::try_from(hex(known.get(..2)?)?).ok()?;
    let is_whole = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|byte| *byte == b'-'),
    };
    let hyphens = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
    let (trace, parent) = (hex(known.get(3..35)?)?, u64::try_from(hex(known.get(36..52)?)?).ok()?);
    let flags = hex(known.get(53..)?)?;
    let is_sound = is_whole && hyphens && trace != 0 && parent != 0;
    is_sound.then_some((TraceId(trace), SpanId(parent), flags & 1 == 1))
}

/// Draws an id from a generator that serves nothing else: who takes part in a canary or a shadow, by a generator that
/// tests of policies seed, does not hang on how many ids were drawn before.
fn draw<T>(id: impl FnOnce(&mut Rng) -> T) -> T {
    thread_local! {
        static RANDOM: RefCell<Rng> = RefCell::new(Rng::with_seed(RandomState::new().build_hasher().finish()));
    }
    RANDOM.with_borrow_mut(id)
}

/// The length of a `traceparent` of version 0.
const LENGTH: usize = 55;

/// A number of lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(value))
    })
}

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn headers(lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (TRACEPARENT, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        lines.iter().map(line).chain([(TRACESTATE, HeaderValue::from_static("a=b"))]).collect()
    }

    fn continuing(lines: &[&str]) -> TraceContext {
        TraceContext::of(&headers(lines))
    }

    #[test]
    fn ids_are_not_drawn_from_what_tests_of_policies_seed() {
        fastrand::seed(7);
        let drawn = fastrand::u64(..);
        fastrand::seed(7);
        let (one, another) = (TraceContext::fresh(), TraceContext::fresh());
        assert_eq!(fastrand::u64(..), drawn);
        assert_ne!((one.trace, one.span), (another.trace, another.span));
    }

    #[test]
    fn a_context_is_continued_by_a_span_of_its_own() {
        let context = continuing(&[&format!("00-{TRACE}-{PARENT}-01")]);
        assert_eq!((context.trace.to_string().as_str(), context.is_sampled), (TRACE, true));
        assert_eq!(context.parent.map(|parent| parent.to_string()).as_deref(), Some(PARENT));
        assert_ne!(Some(context.span), context.parent);
        assert_eq!(std::str::from_utf8(&context.trace.to_hex()), Ok(TRACE));
        assert!(!continuing(&[&format!("00-{TRACE}-{PARENT}-fe")]).is_sampled);
    }

    #[test]
    fn what_goes_on_names_the_span_that_asks_and_keeps_the_state_of_its_own_trace_only() {
        let mut passed = headers(&[&format!("00-{TRACE}-{PARENT}-00")]);
        let (context, span) = (TraceContext::of(&passed), SpanId::fresh());
        context.pass_on(span, &mut passed);
        assert_eq!(passed.get_all(TRACEPARENT).iter().collect::<Vec<_>>(), [&format!("00-{TRACE}-{span}-00")]);
        assert!(passed.contains_key(TRACESTATE));
        let mut passed = headers(&["malformed"]);
        TraceContext::of(&passed).pass_on(span, &mut passed);
        assert!(!passed.contains_key(TRACESTATE));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for rest in ["", "-what-ever"] {
            assert!(continuing(&[&format!("cc-{TRACE}-{PARENT}-01{rest}")]).parent.is_some());
        }
    }

    #[test]
    fn what_is_malformed_begins_a_new_trace() {
        let zeros = "0".repeat(32);
        let malformed = [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("cc-{TRACE}-{PARENT}-01more"),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{PARENT}-0g"),
            format!("00_{TRACE}_{PARENT}_01"),
            format!("00-{TRACE}-{PARENT}-é"),
        ];
        for line in malformed {
            let context = continuing(&[&line]);
            assert!(context.parent.is_none() && context.is_sampled && context.trace.to_string() != TRACE, "{line}");
        }
        let sound = format!("00-{TRACE}-{PARENT}-01");
        assert!(continuing(&[&sound, &sound]).parent.is_none(), "two contexts are none");
    }
}

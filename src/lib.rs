//! Tidegate: a policy-driven gateway for large-language-model traffic.
//!
//! One static binary, run as a sidecar or a shared proxy. A hyper core takes a request in one of the common
//! wire formats, runs it through the ordered steps of a policy file, sends it to one of several providers, and
//! streams the answer back through the same steps in reverse. This page is the architecture.
//!
//! # Seven ideas
//!
//! 1. **Hub, not matrix.** One canonical vocabulary ([`chat`]), one module per wire dialect ([`dialect`]), each
//!    knowing only itself and `chat`.
//! 2. **A provider is data.** Dialect × URL × credential × quirks: lines of `src/provider/catalogue.yaml`. Rust
//!    is written for a new dialect or credential scheme, never for a new vendor.
//! 3. **Keep the wire until touched.** A [`Verbatim`](chat::Verbatim) value carries the bytes it was read from.
//!    Unedited and leaving in its own dialect, it leaves as those very bytes; a text edited in place (the model's
//!    name, a redacted prompt) is *spliced* into them; only a change of structure makes the dialect write anew.
//!    Texts borrow the body they came in, escapes and all ([`base::text`]).
//! 4. **A step has one method; what it remembers about a request is the thing it returns**
//!    ([`pipeline::Step`], [`pipeline::Tap`]). No type map, no shared bag, no locks.
//! 5. **Streaming is the only path.** An answer is a head and a stream of [bursts](pipeline::Burst): all frames
//!    that one read from the upstream completed, which leave in one write. A whole answer is a single frame with
//!    the single event [`Whole`](chat::Event::Whole), so every response step is written once.
//! 6. **Routing is a plan, not a middleware.** A [`route`](pipeline::route) computes an ordered list of targets;
//!    one loop ([`pipeline::attempt`]) works it off. Fallback ends where the caller's answer begins.
//! 7. **Three lifetimes.** *World* (the process: sockets, pools, breakers) · *Snapshot* (one policy revision,
//!    immutable, behind an `ArcSwap`) · *Exchange* (one request). A reload swaps the snapshot and never touches
//!    the world; a request keeps the snapshot it began with to its last byte.
//!
//! # Layers
//!
//! A module uses only modules below it; modules of one line are strangers. `tests/architecture.rs` checks it.
//!
//! | layer | module | what it is |
//! |---|---|---|
//! | 9 | [`cli`] | the commands |
//! | 8½ | [`rehearsal`] | tests of policies, cases of plugins, days of traffic: played providers, a clock that jumps, expectations |
//! | 8 | [`server`] | sockets, TLS, the endpoint table, HTTP in and out, the admin port |
//! | 7 | [`gateway`] | the library face: pin, authenticate, answer, account; reloads |
//! | 6 | [`policy`] | the compiler: files → checked configuration → snapshot |
//! | 5 | [`steps`] | the built-in steps, one file or folder each |
//! | 4 | [`pipeline`] | what a step is; steps, route, attempts, taps; breakers and health |
//! | 3 | [`auth`] [`embedding`] [`provider`] [`registry`] [`state`] [`telemetry`] [`tokens`] [`wasm`] | who calls; where texts lie, by a model in this process; how providers are reached; where plugins come from; what was spent and taken; what operators see; how many tokens a text is; the sandbox of plugins |
//! | 2 | [`dialect`] [`pricing`] | wire formats, pure: bytes in, values out; what a usage costs, by dated price tables |
//! | 1 | [`chat`] | the canonical vocabulary, pure data |
//! | 0 | [`base`] | names, secrets, time, money, JSON with its wire, refusals and faults |
//!
//! # The life of a request
//!
//! 1. **accept** ([`server`]), 2. **pin** the snapshot and **authenticate** from the headers, before the body is
//!    read, 3. **parse** the body by the endpoint's dialect, 4. **select** the policy: the first that covers caller,
//!    model and condition; none is a refusal, 5. **steps**, in the order of the file, 6. **plan and attempts**: breaker
//!    closed? place free? write in the target's dialect, send, judge; what fails before the first token may be tried
//!    elsewhere, also when it began with 200, 7. the **answer** back through the taps, in reverse order, 8. **out** in
//!    the caller's dialect, 9. **account** exactly once: at the end, on a fault, or when the caller hangs up.
//!
//! A step that answers is seen only by the taps of *earlier* steps. A refusal drops the taps, so what they hold is
//! given back. A step that asks somebody outside returns the question as a [`Hold`](pipeline::hold::Hold): the line
//! waits for the word on it, before anything else or while the target is asked, and passes nothing of an answer on
//! before: of an answer that is judged as a whole not its first byte, of one that is judged by windows no more than
//! has been judged.
//!
//! An opaque request (embeddings, images, files) is no chat and has no dialect. Steps may go through its bytes, and through
//! those of its answer by a [`ByteTap`](pipeline::passing::ByteTap); `redact` knows by a table of
//! shapes where texts stand in them.
//!
//! # Laws
//!
//! Each is a property or behaviour test.
//!
//! 1. *Round trip*: writing what was read gives the same JSON value; unknown fields survive at their own level.
//! 2. *Verbatim*: same dialect and unedited means identical bytes, but for the model's name, and for
//!    `stream_options` where a stream's usage must be asked for.
//! 3. *Any chunking*: however a stream is cut, its events are the same.
//! 4. *No silent loss*: what a dialect cannot express is a [`Loss`](chat::Loss) on the trail; `losses: refuse` makes
//!    it a fault.
//! 5. *No silent guard*: a step that cannot act on an endpoint its policy names is an error when the files load; an
//!    endpoint the policy does not name and a step cannot act on is not the policy's.
//! 6. *A cut is never a clean end.*
//! 7. *Money*: whole nano-USD; for any interleaving and crash, what is settled and what is held never exceed a strict
//!    budget, and every attempt is settled exactly once, those that failed and copies for shadows included. What a
//!    forwarded request costs is known from its answer, or not known.
//! 8. *Isolation*: a plugin reaches what its policy grants and nothing else; what it keeps belongs to it and its policy, by type;
//!    whatever it does, the request ends as the policy says and no other request notices.
//! 9. *Nothing leaks*: no key, prompt or answer in a log, a metric or an error that is not the caller's own.
//! 10. *Reload*: a broken file changes nothing and says so; a good one drops no request.
//!
//! # To add
//!
//! | what | you touch |
//! |---|---|
//! | a vendor speaking a known dialect | a few lines of `src/provider/catalogue.yaml` |
//! | a dialect | a folder in `src/dialect`, a line in [`dialect::ALL`], a folder of fixtures |
//! | a built-in step | a file in `src/steps`; `mod`, variant and arm in `src/steps/mod.rs`; an example policy |
//! | an endpoint whose texts `redact` goes through | a table in `src/steps/redact/step/document/shape.rs` |
//! | a plugin | no file of the gateway's: `tidegate plugin new`, `sdk/README.md` |
//! | a host interface for plugins | `sdk/wit`, `src/wasm/host`, `src/steps/plugin/outside` |
//! | a kind of guard outside | `src/steps/screen/report.rs`, a word in `src/policy/document/gateway.rs` |
//! | a model's price | a row of `src/pricing/prices.yaml` |
//! | a problem code | a line in `src/policy/codes.rs` and its page |
//! | a name in traces | a line of the table `src/telemetry/otlp/names.rs` |
//! | a dialect of traces | a file in `src/telemetry/otlp`, its arm in `dialects.rs`, a word in `src/policy/document/telemetry.rs` |
//! | what is recorded of a decision | `src/telemetry/decisions/record.rs`; what it is found by, `query.rs` beside it |
//! | what the page of the admin port shows | `src/server/admin/page`; `sdk/observability` for Grafana and Prometheus |
//! | a section, field or step that bears on no kept answer | its list in `src/policy/imprint.rs` |
//! | what the built-in crowd of `tidegate cache day` asks | `src/rehearsal/day/templates.rs` |
//! | a lint on orders of steps | a [deed](pipeline::step::Deed) that steps state, a rule in `src/policy/lint.rs` |

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub mod auth;
pub mod base;
pub mod chat;
pub mod cli;
pub mod dialect;
pub mod embedding;
pub mod gateway;
pub mod pipeline;
pub mod policy;
pub mod pricing;
pub mod provider;
pub mod registry;
pub mod rehearsal;
pub mod server;
pub mod state;
pub mod steps;
pub mod telemetry;
pub mod tokens;
pub mod wasm;

//! How known fields were written, where the vocabulary does not say: bits of an [`Extra`].

use crate::chat::Extra;

/// A content was a bare string rather than a list of blocks.
pub(super) const BARE: u32 = 1;
/// A system message stood among the turns rather than at the top.
pub(super) const INLINE: u32 = Extra::TELLING;
/// A tool result had no content at all.
pub(super) const ABSENT: u32 = 1 << 2;
/// The request said `"stream": false` rather than nothing.
pub(super) const UNSTREAMED: u32 = 1 << 3;
/// Thinking was `adaptive` rather than not mentioned.
pub(super) const ADAPTIVE: u32 = Extra::TELLING << 1;
/// Thinking was `enabled` without a budget, as some compatible servers have it.
pub(super) const UNBUDGETED: u32 = Extra::TELLING << 2;
/// `tools` was an empty list rather than absent.
pub(super) const NO_TOOLS: u32 = 1 << 6;
/// `stop_sequences` was an empty list rather than absent.
pub(super) const NO_STOPS: u32 = 1 << 7;
/// `system` was an empty list rather than absent.
pub(super) const NO_SYSTEM: u32 = 1 << 8;
/// An answer of a compatible server did not say this.
pub(super) const NO_ID: u32 = 1 << 9;
pub(super) const NO_TYPE: u32 = 1 << 10;
pub(super) const NO_ROLE: u32 = 1 << 11;
pub(super) const NO_MODEL: u32 = 1 << 12;
pub(super) const NO_STOP_REASON: u32 = 1 << 13;
pub(super) const NO_STOP_SEQUENCE: u32 = 1 << 14;

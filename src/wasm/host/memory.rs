//! How much memory an instance has.

use wasmtime::ResourceLimiter;

use crate::wasm::limits::TABLE;

/// Counts an instance's linear memory, and lets it grow only so far.
#[derive(Debug)]
pub struct Memory {
    most: usize,
    /// Bytes of all linear memories together; they never shrink.
    used: usize,
    /// It has wanted more than it may have.
    was_refused: bool,
}

impl Memory {
    pub fn new(most: usize) -> Self {
        Self { most, used: 0, was_refused: false }
    }

    pub fn used(&self) -> usize {
        self.used
    }

    pub fn was_refused(&self) -> bool {
        self.was_refused
    }
}

impl ResourceLimiter for Memory {
    /// The guest is told that there is no more, as on any machine.
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        self.was_refused |= used > self.most;
        if used > self.most {
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE)
    }

    fn instances(&self) -> usize {
        128
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

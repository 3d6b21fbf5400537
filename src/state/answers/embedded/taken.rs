//! How much of its room a policy has taken.

/// What a policy has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    pub bytes: u64,
    pub entries: u64,
}

impl Taken {
    pub fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes += bytes;
    }

    pub fn give_back(&mut self, bytes: u64) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

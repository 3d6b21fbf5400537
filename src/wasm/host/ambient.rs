//! What the host can answer by itself: log, clock, random, metrics, secrets, blobs.

use super::Host;
use crate::wasm::bindings::tidegate::plugin::{blobs, clock, log, metrics, random, secrets, types};
use crate::wasm::trouble::Overrun;

impl types::Host for Host {}

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.enter()?;
        self.line(level, &message);
        Ok(())
    }
}

impl Host {
    /// A line of the guest's, as far as its budget goes.
    pub(super) fn line(&mut self, level: log::Level, message: &str) {
        let left = self.limits.log.saturating_sub(self.spent.log);
        if message.len() > left {
            self.spent.log_dropped = self.spent.log_dropped.saturating_add(message.len());
            return;
        }
        self.spent.log += message.len();
        self.abilities.log.write(level, message);
    }
}

impl clock::Host for Host {
    fn unix_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        let clock = self.abilities.clock.filter(|_| self.is_granted);
        let clock = clock.ok_or(Overrun::NotGranted("it called `clock`, which is not granted"))?;
        Ok(u64::try_from(clock.now().as_millisecond()).unwrap_or(0))
    }

    fn elapsed_ms(&mut self) -> wasmtime::Result<u64> {
        self.enter()?;
        if self.abilities.clock.is_none() || !self.is_granted {
            return Err(Overrun::NotGranted("it called `clock`, which is not granted").into());
        }
        Ok(u64::try_from(self.call.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl random::Host for Host {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter()?;
        if !self.abilities.random || !self.is_granted {
            return Err(Overrun::NotGranted("it called `random`, which is not granted").into());
        }
        let len = len as usize;
        self.spent.random = self.spent.random.saturating_add(len);
        if len > MOST_RANDOM || self.spent.random > self.limits.random {
            return Err(Overrun::Random.into());
        }
        let mut bytes = vec![0; len];
        crate::base::random::fill(&mut bytes).map_err(|_| Overrun::Random)?;
        Ok(bytes)
    }
}

impl metrics::Host for Host {
    fn add(&mut self, name: String, label: String, value: u64) -> wasmtime::Result<()> {
        self.enter()?;
        let is_known =
            self.granted(|abilities| abilities.metrics.as_ref()).is_some_and(|meter| meter.add(&name, &label, value));
        if !is_known {
            return Err(Overrun::NotGranted("it counted under a name that `metrics` does not grant").into());
        }
        Ok(())
    }
}

impl secrets::Host for Host {
    fn hmac_sha256(&mut self, name: String, data: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, secrets::Error>> {
        self.enter()?;
        let secrets = self.granted(|abilities| abilities.secrets.as_ref());
        Ok(secrets.ok_or(secrets::Error::Denied).and_then(|secrets| secrets.hmac_sha256(&name, &data)))
    }

    fn reveal(&mut self, name: String) -> wasmtime::Result<Result<String, secrets::Error>> {
        self.enter()?;
        let secrets = self.granted(|abilities| abilities.secrets.as_ref());
        Ok(secrets.ok_or(secrets::Error::Denied).and_then(|secrets| secrets.reveal(&name)))
    }
}

impl blobs::Host for Host {
    fn read(&mut self, id: u32, offset: u64, len: u32) -> wasmtime::Result<Result<Vec<u8>, blobs::Error>> {
        self.enter()?;
        if len > MOST_BLOB {
            return Ok(Err(blobs::Error::TooLarge));
        }
        let blobs = self.call.blobs.as_ref().filter(|_| self.is_granted);
        Ok(blobs.ok_or(blobs::Error::Denied).and_then(|blobs| blobs.read(id, offset, len)))
    }
}

/// Random bytes at a time.
const MOST_RANDOM: usize = 4_096;
/// Bytes of a blob at a time.
const MOST_BLOB: u32 = 1 << 20;

//! The functions of the host, played. Each has the shape of the one it stands for.

pub mod log {
    use crate::host::log::Level;
    use crate::testing::host::state;

    pub fn write(level: Level, message: &str) {
        state(|state| state.log.push((level, message.to_owned())));
    }
}

pub mod clock {
    use crate::testing::host::state;

    pub fn unix_ms() -> u64 {
        let now = state(|state| state.clock_ms);
        now.unwrap_or_else(|| panic!("the test does not grant `clock`: `Host::new().clock(…)`"))
    }

    pub fn elapsed_ms() -> u64 {
        unix_ms();
        0
    }
}

pub mod random {
    use crate::testing::host::state;

    pub fn bytes(len: u32) -> Vec<u8> {
        let bytes = state(|state| state.random.clone());
        let bytes = bytes.unwrap_or_else(|| panic!("the test does not grant `random`: `Host::new().random(…)`"));
        bytes.into_iter().cycle().take(len as usize).collect()
    }
}

pub mod metrics {
    use crate::testing::host::state;

    pub fn add(name: &str, label: &str, value: u64) {
        let granted = state(|state| {
            let metrics = state.metrics.as_mut()?;
            *metrics.entry((name.to_owned(), label.to_owned())).or_default() += value;
            Some(())
        });
        assert!(granted.is_some(), "the test does not grant `metrics`: `Host::new().metrics()`");
    }
}

pub mod kv {
    use crate::host::kv::Error;
    use crate::testing::host::state;

    const KEY_MOST: usize = 256;
    const VALUE_MOST: usize = 64 * 1024;

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        state(|state| Ok(state.kv.as_ref().ok_or(Error::Denied)?.get(key).cloned()))
    }

    pub fn set(key: &str, value: &[u8], _ttl_ms: Option<u64>) -> Result<(), Error> {
        state(|state| {
            let kv = state.kv.as_mut().ok_or(Error::Denied)?;
            if key.len() > KEY_MOST || value.len() > VALUE_MOST {
                return Err(Error::TooLarge);
            }
            kv.insert(key.to_owned(), value.to_vec());
            Ok(())
        })
    }

    pub fn delete(key: &str) -> Result<(), Error> {
        state(|state| {
            state.kv.as_mut().ok_or(Error::Denied)?.remove(key);
            state.numbers.remove(key);
            Ok(())
        })
    }

    pub fn add(key: &str, by: i64, _ttl_ms: Option<u64>) -> Result<i64, Error> {
        state(|state| {
            state.kv.as_ref().ok_or(Error::Denied)?;
            let number = state.numbers.entry(key.to_owned()).or_default();
            *number = number.saturating_add(by);
            Ok(*number)
        })
    }
}

pub mod secrets {
    use hmac::{Hmac, Mac as _};
    use sha2::Sha256;

    use crate::host::secrets::Error;
    use crate::testing::host::state;

    pub fn reveal(name: &str) -> Result<String, Error> {
        state(|state| state.secrets.as_ref().ok_or(Error::Denied)?.get(name).cloned().ok_or(Error::Missing))
    }

    pub fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = reveal(name)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Error::Missing)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

pub mod blobs {
    use crate::host::blobs::Error;
    use crate::testing::host::state;

    pub fn read(id: u32, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        state(|state| {
            let blob = state.blobs.get(&id).ok_or(Error::Gone)?;
            Ok(blob.iter().skip(offset as usize).take(len as usize).copied().collect())
        })
    }
}

pub mod http {
    use crate::host::http::{Error, Request, Response};
    use crate::testing::host::state;

    pub fn send(request: &Request) -> Result<Response, Error> {
        // Taken out while it runs, so that it may use the host itself.
        let Some(mut server) = state(|state| state.servers.take()) else {
            return Err(Error::Denied("the test grants no servers".into()));
        };
        let answer = server(request);
        state(|state| {
            state.servers = Some(server);
            state.sent.push_back(request.clone());
        });
        answer
    }
}

pub mod model {
    use crate::host::model::{Answer, Ask, Error};
    use crate::testing::host::state;

    pub fn complete(ask: &Ask) -> Result<Answer, Error> {
        let Some(mut model) = state(|state| state.models.take()) else {
            return Err(Error::Denied("the test grants no models".into()));
        };
        let answer = model(ask);
        state(|state| {
            state.models = Some(model);
            state.asked.push_back(ask.clone());
        });
        answer
    }
}

//! Components in memory, so that those which a new revision of the policies still has are not compiled again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use wasmtime::component::Component;

use super::engine::Metering;

/// What was compiled lately: used last stands last.
#[derive(Default)]
pub struct Shelf(Mutex<VecDeque<Entry>>);

struct Entry {
    sha256: String,
    metering: Metering,
    component: Component,
}

impl Shelf {
    pub fn find(&self, sha256: &str, metering: Metering) -> Option<Component> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().position(|entry| entry.sha256 == sha256 && entry.metering == metering)?;
        let entry = entries.remove(at)?;
        let found = entry.component.clone();
        entries.push_back(entry);
        Some(found)
    }

    pub fn put(&self, sha256: &str, metering: Metering, component: &Component) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MOST {
            // Those in use live on with whoever uses them.
            entries.pop_front();
        }
        entries.push_back(Entry { sha256: sha256.to_owned(), metering, component: component.clone() });
    }
}

const MOST: usize = 32;

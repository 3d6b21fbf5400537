//! The price list: the one that comes with the binary, with the files' own over it.

use std::path::Path;
use std::sync::Arc;

use super::Builder;
use crate::policy::codes;
use crate::policy::config::Prices;
use crate::policy::decode::At;
use crate::policy::document::PricesDoc;
use crate::policy::problem::Problem;
use crate::pricing::PriceList;

impl Builder<'_, '_> {
    pub(super) fn price_list(&mut self, document: Option<PricesDoc>) -> Prices {
        let unknown = document.as_ref().map(|document| document.unknown).unwrap_or_default();
        let named = document.map(|document| document.files.0).unwrap_or_default();
        let mut list = PriceList::embedded().clone();
        let mut files = Vec::new();
        for name in &named {
            let path = self.material.sources.folder(name.span.file).join(&name.value);
            if let Some(over) = self.price_file(name, &path) {
                list = list.overlay(over);
            }
            files.push(path);
        }
        Prices { list: Arc::new(list), files, unknown }
    }

    fn price_file(&mut self, name: &At<String>, path: &Path) -> Option<PriceList> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read the prices in `{}`: {error}", path.display());
                self.note(Problem::error(codes::UNREADABLE, message).at(name.span, "named here"));
                return None;
            }
        };
        let mistakes = match PriceList::read(&text) {
            Ok(list) => return Some(list),
            Err(mistakes) => mistakes,
        };
        for mistake in mistakes {
            let message = format!("`{}:{mistake}`", path.display());
            self.note(Problem::error(codes::WRONG_VALUE, message).at(name.span, "named here"));
        }
        None
    }
}

//! Where the ledger is kept.

use std::path::PathBuf;

use super::Builder;
use crate::policy::document::StateDoc;

impl Builder<'_, '_> {
    /// Without a word about it there is a ledger only if there are budgets, which need one.
    pub(super) fn state(&self, document: Option<StateDoc>, has_budgets: bool) -> Option<PathBuf> {
        match document {
            Some(document) => {
                let folder = self.material.sources.folder(document.dir.span.file);
                Some(folder.join(&document.dir.value))
            }
            None => has_budgets.then(|| USUAL_FOLDER.into()),
        }
    }
}

const USUAL_FOLDER: &str = ".tidegate";

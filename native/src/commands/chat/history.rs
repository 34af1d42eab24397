//! What was typed, kept for the next conversation, without the secrets in it.

use reedline::{
    FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result, SearchQuery,
};
use tau_core::safety::Gate;

/// A history file that no secret is written to.
pub(super) struct Kept {
    file: FileBackedHistory,
    gate: Gate,
}

impl Kept {
    /// Keeps what `gate` lets through in `file`.
    pub(super) fn new(file: FileBackedHistory, gate: Gate) -> Self {
        Self { file, gate }
    }
}

impl History for Kept {
    fn save(&mut self, mut item: HistoryItem) -> Result<HistoryItem> {
        item.command_line = self.gate.without_secrets(&item.command_line).into_owned();
        self.file.save(item)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.file.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.file.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.file.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> Result<()> {
        self.file.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.file.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.file.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.file.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.file.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_typed_is_not_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.txt");
        let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        let file = FileBackedHistory::with_file(10, path.clone()).unwrap();
        let mut kept = Kept::new(file, Gate::default());
        kept.save(HistoryItem::from_command_line("list the files"))
            .unwrap();
        kept.save(HistoryItem::from_command_line(format!(
            "log in with {secret}"
        )))
        .unwrap();
        kept.sync().unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("list the files") && written.contains("log in with"));
        assert!(!written.contains(&secret), "{written}");
    }
}

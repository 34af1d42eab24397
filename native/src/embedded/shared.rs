//! The embedder of the embedded model, which memory uses as well.
//!
//! Invariant: its files are read once in this process, and its 90 MB are held once, as long as
//! anybody uses them.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tau_target_rten::{Embedder, Error, Threads, fetch::Models};

/// By its file.
static LOADED: Mutex<Vec<(PathBuf, Weak<Embedder>)>> = Mutex::new(Vec::new());

/// The embedder of `models`, loaded where nobody has it. Blocks for some tenths of a second.
pub(crate) fn embedder(models: &Models) -> Result<Arc<Embedder>, Error> {
    // Held while it is loaded: whoever asks meanwhile waits for this one, not for a second.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.retain(|(_, embedder)| embedder.strong_count() > 0);
    let known = loaded.iter().find(|(file, _)| *file == models.embedder);
    if let Some(embedder) = known.and_then(|(_, embedder)| embedder.upgrade()) {
        return Ok(embedder);
    }
    let embedder = Arc::new(Embedder::load(models, Threads::auto())?);
    loaded.push((models.embedder.clone(), Arc::downgrade(&embedder)));
    Ok(embedder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tau_target_rten::fetch;

    #[test]
    fn the_embedder_is_loaded_once_for_all_and_let_go_with_the_last() {
        let folder = fetch::models_dir().expect("a folder of models");
        let models = Models::under(&folder);
        let load = || embedder(&models).expect("`cargo xtask setup` fetches it");
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(load);
            (load(), other.join().expect("no panic"))
        });
        assert!(Arc::ptr_eq(&one, &two));
        let agent = super::super::files::load(&folder).expect("both models");
        assert!(std::ptr::eq(agent.embedder(), &*one));
        let gone = Arc::downgrade(&one);
        drop((one, two, agent));
        assert!(gone.upgrade().is_none());
    }
}

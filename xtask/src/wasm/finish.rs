//! From what the generator wrote to a directory that can be deployed or served.

use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::{
    fmt, fs,
    io::Write,
    path::{Path, PathBuf},
};

/// What a module weighs.
pub(crate) struct Built {
    pub(crate) raw_bytes: u64,
    pub(crate) gzip_bytes: u64,
}

impl Built {
    pub(super) fn of(module: &[u8]) -> Result<Self> {
        Ok(Self {
            raw_bytes: module.len() as u64,
            gzip_bytes: gzip(module)?,
        })
    }
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Sizes of modules are far below where a double loses a byte.
        let kilobytes = |bytes: u64| bytes as f64 / 1e3;
        write!(
            f,
            "{:>8.1} KB raw {:>8.1} KB gzip",
            kilobytes(self.raw_bytes),
            kilobytes(self.gzip_bytes)
        )
    }
}

/// How many bytes gzip makes of these.
pub(crate) fn gzip(bytes: &[u8]) -> Result<u64> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len() as u64)
}

/// Empties `directory` but for `kept`, so that nothing of an earlier build is deployed.
pub(super) fn clear(directory: &Path, kept: &[PathBuf]) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if kept.contains(&path) {
            continue;
        }
        match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        }
        .with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Copies a file into `directory`, or what is in a directory.
pub(super) fn copy(from: &Path, directory: &Path) -> Result<()> {
    let place = |name: &Path| format!("cannot copy {} to {}", name.display(), directory.display());
    if from.is_file() {
        let name = from.file_name().context("a file without a name")?;
        fs::copy(from, directory.join(name)).with_context(|| place(from))?;
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(from).with_context(|| place(from))? {
        let path = entry?.path();
        let to = match path.is_dir() {
            true => directory.join(path.file_name().context("a directory without a name")?),
            false => directory.to_owned(),
        };
        copy(&path, &to)?;
    }
    Ok(())
}

/// Has the generator's JavaScript import the module the way workerd and its bundler do.
///
/// The generator writes the newer `import source`, which means the same: the compiled module, which
/// the JavaScript then instantiates.
pub(super) fn import_as_module(script: &Path) -> Result<()> {
    let text =
        fs::read_to_string(script).with_context(|| format!("cannot read {}", script.display()))?;
    let Some(changed) = without_source_phase(&text) else {
        bail!("{} imports no module by its source", script.display());
    };
    fs::write(script, changed).with_context(|| format!("cannot write {}", script.display()))
}

fn without_source_phase(text: &str) -> Option<String> {
    let is_there = text.contains("import source ");
    is_there.then(|| text.replace("import source ", "import "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_phase_is_taken_out_of_imports() {
        let text = "import source wasm from \"./index_bg.wasm\";\nimport a from \"a\";";
        let changed = without_source_phase(text).unwrap();
        assert_eq!(
            changed,
            "import wasm from \"./index_bg.wasm\";\nimport a from \"a\";"
        );
        assert_eq!(without_source_phase(&changed), None);
    }

    #[test]
    fn sizes_are_told_raw_and_compressed() {
        let built = Built::of(&[0; 91_234]).unwrap();
        assert_eq!(built.to_string(), "    91.2 KB raw      0.1 KB gzip");
    }
}

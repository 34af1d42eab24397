//! From what the generator wrote to a directory that can be deployed or served.

use crate::size::gzip;
use anyhow::{Context, Result, bail};
use std::{fmt, fs, path::Path};

/// Where the generator puts the JavaScript that crates bring.
const SNIPPETS: &str = "snippets";

/// What bytes weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) raw_bytes: u64,
    pub(crate) gzip_bytes: u64,
}

impl Size {
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            raw_bytes: bytes.len() as u64,
            gzip_bytes: gzip(bytes)?,
        })
    }
}

impl fmt::Display for Size {
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

/// Empties `directory`, so that nothing of an earlier build is deployed. A directory in it with a
/// module of its own stays.
pub(super) fn clear(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true if has_module(&path)? => continue,
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        }
        .with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

fn has_module(directory: &Path) -> Result<bool> {
    let is_module = |entry: fs::DirEntry| entry.path().extension() == Some("wasm".as_ref());
    let entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    Ok(entries.into_iter().any(is_module))
}

/// Copies a file into `directory`, or what is in a directory.
pub(crate) fn copy(from: &Path, directory: &Path) -> Result<()> {
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

/// Has the generator's JavaScript import the compiled module the way workerd and its bundler do,
/// and nothing else: two files are all there is to deploy beside the entry point.
pub(super) fn make_loadable(directory: &Path, name: &str) -> Result<()> {
    let script = directory.join(format!("{name}.js"));
    let text =
        fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
    let text = with_snippets(&without_source_phase(&text)?, |path| {
        let file = directory.join(path);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    })?;
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    let snippets = directory.join(SNIPPETS);
    if snippets.is_dir() {
        fs::remove_dir_all(&snippets)?;
    }
    Ok(())
}

/// `import source` is the newer word for the same: the compiled module, not an instance.
fn without_source_phase(text: &str) -> Result<String> {
    if !text.contains("import source ") {
        bail!("the generated JavaScript imports no module by its source");
    }
    Ok(text.replace("import source ", "import "))
}

/// `text` with every import of a crate's own JavaScript replaced by what it imports.
fn with_snippets(text: &str, read: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut whole = String::with_capacity(text.len());
    let mut inlined: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some((names, path)) = imported_snippet(line) else {
            whole.push_str(line);
            whole.push('\n');
            continue;
        };
        let snippet = read(path)?;
        if names.contains(" as ") || snippet.contains("import ") {
            bail!("{path} is more than a list of declarations: bundle it before it is deployed");
        }
        for line in snippet.lines().filter(|line| !line.trim().is_empty()) {
            let declaration = line.strip_prefix("export ").unwrap_or(line).to_owned();
            if !inlined.contains(&declaration) {
                whole.push_str(&declaration);
                whole.push('\n');
                inlined.push(declaration);
            }
        }
    }
    Ok(whole)
}

/// The names and the path of `import { names } from './snippets/path';`.
fn imported_snippet(line: &str) -> Option<(&str, &str)> {
    let (names, path) = line.strip_prefix("import {")?.split_once("} from './")?;
    let path = path.trim_end_matches(';').strip_suffix('\'')?;
    path.starts_with(SNIPPETS).then_some((names, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn clearing_leaves_a_nested_module_alone() {
        let directory = workspace::scratch("clearing").unwrap();
        for nested in ["module", "parts"] {
            fs::create_dir(directory.join(nested)).unwrap();
        }
        for file in ["old.js", "module/m_bg.wasm", "parts/old.js"] {
            fs::write(directory.join(file), "").unwrap();
        }
        clear(&directory).unwrap();
        let left: Vec<_> = fs::read_dir(&directory).unwrap().flatten().collect();
        assert_eq!(left.len(), 1);
        assert!(directory.join("module/m_bg.wasm").is_file());
    }

    #[test]
    fn the_source_phase_is_taken_out_of_imports() {
        let text = "import source wasm from \"./index_bg.wasm\";\nimport a from \"a\";";
        let changed = without_source_phase(text).unwrap();
        assert_eq!(
            changed,
            "import wasm from \"./index_bg.wasm\";\nimport a from \"a\";"
        );
        assert!(without_source_phase(&changed).is_err());
    }

    #[test]
    fn a_crates_own_javascript_moves_into_the_script() {
        let text = "import { state } from './snippets/worker-1/inline0.js';\nuse(state);\n";
        let read = |path: &str| {
            assert_eq!(path, "snippets/worker-1/inline0.js");
            Ok("\nexport const state = { a: 0 };\n".to_owned())
        };
        assert_eq!(
            with_snippets(text, read).unwrap(),
            "const state = { a: 0 };\nuse(state);\n"
        );
    }

    #[test]
    fn javascript_that_would_change_by_moving_is_refused() {
        let read = |_: &str| Ok("import a from 'a';\nexport const b = a;".to_owned());
        let text = "import { b } from './snippets/x/inline0.js';";
        assert!(with_snippets(text, read).is_err());
    }

    #[test]
    fn sizes_are_told_raw_and_compressed() {
        let size = Size::of(&[0; 91_234]).unwrap();
        assert_eq!(size.to_string(), "    91.2 KB raw      0.1 KB gzip");
    }
}

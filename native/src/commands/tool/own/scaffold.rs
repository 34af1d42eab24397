//! `tau tool new`: a folder that builds as it is.

use std::{fs, path::Path};
use tau_core::tool::reserved;

use crate::{
    exit::{Error, Exit},
    ui::Ui,
};

/// The kit, as the examples use it.
const KIT: &str = include_str!("../../../../../examples/tools/kit/src/lib.rs");

const MAIN: &str = r#"//! NAME: says hello to somebody.

#[allow(dead_code, reason = "requests are for tools that ask for hosts")]
mod tau;

use serde::{Deserialize, Serialize};
use std::process::ExitCode;

#[derive(Deserialize)]
struct Arguments {
    who: String,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
}

fn main() -> ExitCode {
    tau::run(|Arguments { who }| {
        let greeting = format!("Hello, {who}!");
        Ok(Answer { greeting })
    })
}
"#;

const CARGO: &str = r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"
publish = false

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"

[profile.release]
opt-level = "s"
lto = true
codegen-units = 1
panic = "abort"
strip = true

[workspace]
"#;

const MANIFEST: &str = r#"{
  "name": "NAME",
  "description": "Say hello to somebody.",
  "parameters": {
    "type": "object",
    "properties": {"who": {"type": "string"}},
    "required": ["who"],
    "additionalProperties": false
  },
  "limits": {"fuel": 100000000, "memory_bytes": 16777216, "wall_ms": 2000}
}
"#;

/// Begins the tool `name`.
pub(super) fn new(name: &str, ui: Ui) -> Result<Exit, Error> {
    reserved::check(name).map_err(|error| Error::usage(error.to_string()))?;
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(Error::usage(format!(
            "{name:?} does not begin with a letter, which cargo wants of a package"
        )));
    }
    let folder = Path::new(name);
    if folder.exists() {
        return Err(Error::usage(format!("{name} is there already"))
            .hint("nothing was changed; choose another name or remove it"));
    }
    let write = || {
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), CARGO.replace("NAME", name))?;
        fs::write(folder.join("src/main.rs"), MAIN.replace("NAME", name))?;
        fs::write(folder.join("src/tau.rs"), KIT)?;
        fs::write(
            folder.join(format!("{name}.json")),
            MANIFEST.replace("NAME", name),
        )?;
        fs::write(folder.join(".gitignore"), "/target\n*.wasm\n")
    };
    write().map_err(|error: std::io::Error| {
        Error::usage(format!("{name} cannot be made")).cause(error)
    })?;
    ui.note(format!(
        "{name} is begun. Next: cd {name} && cargo fetch && tau tool build && tau tool install {name}.wasm"
    ));
    Ok(Exit::Ok)
}

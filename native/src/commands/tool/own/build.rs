//! `tau tool build`: cargo, confined: what a build script or a macro does stays in the folder.
//!
//! Invariant: nothing that lies in the folder is run outside of the sandbox, and no link in it is
//! followed there: a build script may have left it.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};
use tau_core::{policy::paths::PROTECTED, tool::manifest::Manifest};
use tau_target_native::tools::{Programs, limits};
use tau_target_process::{Confinement, Input, Job, Output};

use crate::{
    commands::block_on,
    config,
    credentials::Vault,
    exit::{Error, Exit},
    home::Home,
    plugins::{Pair, read_manifest, read_module, read_pair},
    programs::{Engines, not_started},
    replace::replace,
    ui::Ui,
};

const TARGET: &str = "wasm32-wasip1";
/// Where cargo keeps tokens of registries, wherever its folder is.
const CREDENTIALS: [&str; 2] = ["credentials", "credentials.toml"];

/// Builds the tool in `folder`.
pub(super) fn build(folder: &Path, home: &Home, ui: Ui) -> Result<Exit, Error> {
    let folder = folder
        .canonicalize()
        .map_err(|error| Error::usage(format!("{} is not there", folder.display())).cause(error))?;
    let manifest = manifest_of(&folder)?;
    if !folder.join("Cargo.toml").is_file() {
        return Err(
            Error::usage(format!("{} has no Cargo.toml", folder.display()))
                .hint("`tau tool new NAME` begins a tool"),
        );
    }
    let toolchain = Toolchain::find()?;
    let code = block_on(confined(&folder, &toolchain, home, ui))??;
    if code != 0 {
        return Err(Error::usage(format!("cargo ended with code {code}")).hint(format!(
            "above is why; where dependencies are missing: cargo fetch; where the target is: rustup target add {TARGET}"
        )));
    }
    let stem = manifest.file_stem().unwrap_or_default();
    let built = folder.join("target").join(TARGET).join("release");
    let built = built.join(stem).with_extension("wasm");
    let module = manifest.with_extension("wasm");
    let bytes = built_in(&built).map_err(|error| {
        Error::usage(format!("{} was not built", built.display()))
            .cause(error)
            .hint("the package is called like the manifest")
    })?;
    replace(&module, &bytes).map_err(|error| cannot_write(&module, error))?;
    finish(&module, ui)
}

/// What was built: there and not elsewhere, by no link.
fn built_in(built: &Path) -> io::Result<Vec<u8>> {
    let lies = built.canonicalize()?;
    if lies != built {
        let why = format!("a link leads to {}", lies.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    read_module(built)
}

fn cannot_write(file: &Path, error: io::Error) -> Error {
    Error::usage(format!("{} cannot be written", file.display())).cause(error)
}

/// Writes the hash of what was built into the manifest.
fn finish(module: &Path, ui: Ui) -> Result<Exit, Error> {
    let Pair {
        module: bytes,
        manifest,
        ..
    } = read_pair(module);
    let manifest = manifest.map_err(|why| Error::usage("what was built is no tool").cause(why))?;
    let bytes = bytes.unwrap_or_default();
    // Another module: whoever signed the last one did not sign this.
    let manifest = Manifest {
        signature: None,
        ..manifest.with_hash_of(&bytes)
    };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Error::internal(error.to_string()))?;
    let file = module.with_extension("json");
    replace(&file, (text + "\n").as_bytes()).map_err(|error| cannot_write(&file, error))?;
    let size = bytes.len().div_ceil(1024);
    ui.note(format!("{} ({size} KiB)", module.display()));
    ui.line(module.display());
    Ok(Exit::Ok)
}

/// The one manifest of a folder.
fn manifest_of(folder: &Path) -> Result<PathBuf, Error> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::usage(format!("{} cannot be read", folder.display())).cause(error)
    })?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "json")
            && read_manifest(&path).is_some_and(|manifest| manifest.is_ok())
        {
            found.push(path);
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(
            Error::usage(format!("{} has no manifest", folder.display())).hint(
                "NAME.json says what a tool is called and asks for; `tau tool new NAME` makes one",
            ),
        ),
        (Some(_), false) => Err(Error::usage(format!(
            "{} has more than one manifest",
            folder.display()
        ))),
    }
}

/// What cargo needs to be seen of.
struct Toolchain {
    cargo: PathBuf,
    readable: Vec<String>,
    /// What of that opens doors.
    hidden: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
}

impl Toolchain {
    fn find() -> Result<Self, Error> {
        let missing = || {
            Error::usage("cargo is not installed, so nothing can be built")
                .hint("https://rustup.rs, then: rustup target add wasm32-wasip1")
        };
        let path = env::var_os("PATH").ok_or_else(missing)?;
        let cargo = env::split_paths(&path)
            // Any other is a place of the current folder's.
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("cargo"))
            .find(|file| file.is_file())
            .ok_or_else(missing)?;
        let person = env::home_dir();
        let folder = |variable: &str, usual: &str| {
            let set = env::var_os(variable).map(PathBuf::from);
            set.or_else(|| Some(person.as_ref()?.join(usual)))
                .filter(|folder| folder.is_dir())
        };
        let mut environment = vec![
            ("PATH".into(), path),
            ("CARGO_TERM_COLOR".into(), "never".into()),
        ];
        let mut readable = Vec::new();
        let mut hidden = Vec::new();
        // Where the compiler itself is, if it is not one of the system's.
        let sysroot = Command::new(cargo.with_file_name("rustc"))
            .args(["--print", "sysroot"])
            // Not in the folder: a rust-toolchain.toml there may name any program as the compiler.
            .current_dir("/")
            .output();
        let sysroot =
            sysroot.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        readable.extend(
            sysroot
                .ok()
                .filter(|path| !path.is_empty() && !path.starts_with("/usr")),
        );
        for (variable, usual) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if let Some(folder) = folder(variable, usual) {
                let kept = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                hidden.extend(CREDENTIALS.map(|name| kept.join(name)));
                environment.push((variable.into(), folder.clone().into()));
                readable.extend(folder.to_str().map(str::to_owned));
            }
        }
        Ok(Self {
            cargo,
            readable,
            hidden,
            environment,
        })
    }
}

async fn confined(folder: &Path, toolchain: &Toolchain, home: &Home, ui: Ui) -> Result<i32, Error> {
    let policy = config::load(&home.config_file())?.policy;
    let mut how = policy.program_limits();
    how.read.extend(toolchain.readable.iter().cloned());
    // What a build script sends is nothing that a person agreed to.
    how.network = None;
    // A build takes longer than a tool's call.
    how.cpu_seconds = 3_600;
    let arguments = [
        "build",
        "--release",
        "--offline",
        "--target",
        TARGET,
        "--target-dir",
        "target",
    ];
    let program = [OsString::from(&toolchain.cargo)]
        .into_iter()
        .chain(arguments.map(Into::into))
        .collect();
    let job = Job {
        program,
        confinement: Confinement {
            workspace: folder.to_owned(),
            read_only: PROTECTED.iter().map(|name| folder.join(name)).collect(),
            hidden: toolchain.hidden.clone(),
            readable: Vec::new(),
            environment: toolchain.environment.clone(),
            limits: limits(&how),
        },
        input: Input::Null,
        output: Output::Inherit,
        errors: Output::Inherit,
    };
    let started = Engines::new(home, Vault::closed()).start(job, &how).await;
    let started = started.map_err(|error| not_started(error, "nothing was built"))?;
    if let Some(why) = &started.unsandboxed {
        ui.warn(format!("building unsandboxed: {why}"));
    }
    Ok(started.running.finish().await?.code())
}

//! The program under test, built when it is older than its sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// Everything that is compiled into the program.
const SOURCES: &[&str] = &[
    "core",
    "platform",
    "targets",
    "native",
    "Cargo.toml",
    "Cargo.lock",
];

/// What the stamp says of a build that worked.
const BUILT: &str = "built";

/// Where `tau` is. `TAU_BIN` names another one, which is taken as it is.
#[must_use]
pub fn tau() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match env::var_os("TAU_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// Tests are processes of their own: whoever is first builds, the others wait and look again.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let target = profile.parent().expect("target/PROFILE");
    let binary = profile.join(format!("tau{}", env::consts::EXE_SUFFIX));
    // Cargo does not touch a binary that came out the same, nor one that did not come out.
    let stamp = profile.join("tau.checked");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let newest = SOURCES
        .iter()
        .filter_map(|source| changed(&root.join(source)))
        .max();
    let is_fresh = || {
        let checked = fs::metadata(&stamp).and_then(|file| file.modified()).ok();
        if checked >= newest {
            let outcome = fs::read_to_string(&stamp).unwrap_or_default();
            assert_eq!(outcome, BUILT, "another test tried to build `tau`");
        }
        let built = fs::metadata(&binary).and_then(|file| file.modified()).ok();
        built.is_some() && built.max(checked) >= newest
    };
    if is_fresh() {
        return binary;
    }
    let lock = fs::File::create(profile.join("tau.lock")).expect("a lock beside the binary");
    lock.lock().expect("the lock");
    if !is_fresh() {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "tau", "--bin", "tau"]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.current_dir(root).env("CARGO_TARGET_DIR", target);
        let status = cargo.status().expect("cargo");
        let outcome = if status.success() {
            BUILT
        } else {
            "it did not build"
        };
        fs::write(&stamp, outcome).expect("a stamp beside the binary");
        assert!(status.success(), "`tau` does not build");
    }
    binary
}

/// When something in `path` was last changed.
fn changed(path: &Path) -> Option<SystemTime> {
    let own = fs::metadata(path).and_then(|file| file.modified()).ok();
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| changed(&entry.path()))
        .chain(own)
        .max()
}

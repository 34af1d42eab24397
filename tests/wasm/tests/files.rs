//! Directories of the machine: what is granted can be used, and no path leads anywhere else.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{fs, os::unix::fs::symlink, path::Path};
use tau_target_wasi::{
    Bytes, Call, Dir, Directory, Errno, Grant, Limits, OpenFlags, Opened, Outcome,
    native::{self, HostDirectory},
};
use tau_test_wasm::{engines, module};
use tempfile::TempDir;

/// A folder with a secret beside the one that is granted, and links to it.
fn folders() -> TempDir {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path();
    fs::write(root.join("secret.txt"), "secret").unwrap();
    fs::create_dir_all(root.join("granted/below")).unwrap();
    fs::create_dir(root.join("other")).unwrap();
    fs::write(root.join("granted/own.txt"), "own").unwrap();
    symlink("../secret.txt", root.join("granted/link")).unwrap();
    symlink(root.join("secret.txt"), root.join("granted/absolute")).unwrap();
    symlink("..", root.join("granted/up")).unwrap();
    symlink("below/../../other", root.join("granted/winding")).unwrap();
    symlink("own.txt", root.join("granted/inside")).unwrap();
    symlink("loop", root.join("granted/loop")).unwrap();
    outside
}

const READ: OpenFlags = OpenFlags {
    read: true,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    follow: true,
};

const MAKE: OpenFlags = OpenFlags {
    write: true,
    create: true,
    ..READ
};

fn granted(outside: &TempDir) -> HostDirectory {
    HostDirectory::open(outside.path().join("granted").to_str().unwrap()).unwrap()
}

#[test]
fn no_path_leads_out_for_any_deed() {
    let outside = folders();
    let directory = granted(&outside);
    let absolute = outside.path().join("secret.txt");
    let paths = [
        "../secret.txt",
        "below/../../secret.txt",
        "./../granted/../secret.txt",
        absolute.to_str().unwrap(),
        "link",
        "absolute",
        "up/secret.txt",
        "winding/new",
        "/",
        "..",
    ];
    for path in paths {
        let refused = |result: Result<(), Errno>, deed: &str| {
            assert_eq!(result, Err(Errno::NotPermitted), "{deed} {path}");
        };
        refused(directory.open(path, READ).map(drop), "open");
        refused(directory.open(path, MAKE).map(drop), "make");
        refused(directory.stat(path, true).map(drop), "stat");
        if !["link", "absolute"].contains(&path) {
            // These two are links inside, and a link itself may be renamed and removed.
            refused(directory.rename(path, &directory, "x"), "rename");
            refused(directory.link(path, &directory, "x"), "link");
            assert!(directory.remove_file(path).is_err(), "remove {path}");
            assert!(directory.create_directory(path).is_err(), "mkdir {path}");
            assert!(directory.remove_directory(path).is_err(), "rmdir {path}");
            refused(directory.rename("own.txt", &directory, path), "rename to");
        }
    }
    assert_eq!(fs::read_to_string(absolute).unwrap(), "secret");
    assert_eq!(
        fs::read_dir(outside.path().join("other")).unwrap().count(),
        0
    );
    assert!(matches!(directory.open("loop", READ), Err(Errno::Loop)));
}

#[test]
fn links_inside_are_followed() {
    let outside = folders();
    let Ok(Opened::File(file)) = granted(&outside).open("inside", READ) else {
        panic!("the link leads to a file inside");
    };
    let mut buffer = [0; 10];
    assert_eq!(file.read_at(&mut buffer, 0), Ok(3));
    assert_eq!(&buffer[..3], b"own");
}

#[test]
fn a_pipe_or_a_device_is_not_opened_and_holds_nothing_up() {
    let outside = folders();
    let pipe = outside.path().join("granted/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let opened = granted(&outside).open("pipe", READ);
    assert!(matches!(opened, Err(Errno::NotSupported)));
    let device = HostDirectory::open("/dev").unwrap();
    assert!(matches!(
        device.open("null", READ),
        Err(Errno::NotSupported)
    ));
}

fn run(fields: &str, host: &Path, writes: bool) -> Vec<Outcome> {
    let wasm = module(fields).unwrap();
    let grant = Grant {
        dirs: vec![Dir {
            host: host.to_str().unwrap().into(),
            guest: "/data".into(),
            writes,
        }],
        ..Grant::default()
    };
    let run = |engine: Box<dyn tau_target_wasi::Engine>| {
        let input = Box::new(Bytes::new(Vec::new()));
        engine.load(&wasm).unwrap().run(Call {
            grant: &grant,
            limits: &Limits::default(),
            world: native::world(&grant, input).unwrap(),
        })
    };
    engines().unwrap().into_iter().map(run).collect()
}

#[test]
fn a_program_is_told_what_it_was_denied_and_goes_on() {
    let outside = folders();
    let fields = "(data (i32.const 0) \"linkabsoluteup/secret.txtown.txt\")
      (func (export \"_start\")
        (drop (call $open (i32.const 0) (i32.const 4) (i32.const 0) (i64.const 2)))
        (drop (call $open (i32.const 4) (i32.const 8) (i32.const 0) (i64.const 2)))
        (drop (call $open (i32.const 12) (i32.const 13) (i32.const 0) (i64.const 2)))
        (drop (call $open (i32.const 25) (i32.const 7) (i32.const 0) (i64.const 2))))";
    for outcome in run(fields, &outside.path().join("granted"), false) {
        assert_eq!(outcome.stdout, b"63\n63\n63\n0\n");
        assert_eq!(outcome.exit, Some(0));
        let denied = [
            "path \"link\"",
            "path \"absolute\"",
            "path \"up/secret.txt\"",
        ];
        assert_eq!(outcome.denials, denied);
    }
}

#[test]
fn a_directory_given_to_read_is_not_written() {
    let outside = folders();
    let fields = "(data (i32.const 0) \"own.txtnew\")
      (func (export \"_start\")
        (drop (call $open (i32.const 0) (i32.const 7) (i32.const 8) (i64.const 66)))
        (drop (call $open (i32.const 7) (i32.const 3) (i32.const 1) (i64.const 66)))
        (call $show (call $path_unlink_file (i32.const 3) (i32.const 0) (i32.const 7))))";
    let folder = outside.path().join("granted");
    for outcome in run(fields, &folder, false) {
        assert_eq!(outcome.stdout, b"69\n69\n69\n");
    }
    assert_eq!(fs::read_to_string(folder.join("own.txt")).unwrap(), "own");
    assert!(!folder.join("new").exists());
    for outcome in run(fields, &folder, true).into_iter().take(1) {
        assert_eq!(outcome.stdout, b"0\n0\n0\n");
    }
    assert!(folder.join("new").exists());
    assert!(!folder.join("own.txt").exists());
}

#[test]
fn directories_in_memory_and_on_the_disk_are_the_same_to_a_program() {
    let programs = tau_test_wasm::compile().unwrap();
    let case = programs.iter().find(|case| case.name == "filesystem");
    let mut case = case.unwrap().clone();
    case.files.clear();
    for engine in engines().unwrap() {
        let in_memory = case.run(&*engine).unwrap();
        assert_eq!(in_memory.exit, Some(0), "{in_memory:?}");
        let folder = tempfile::tempdir().unwrap();
        let mut grant = case.grant.clone();
        grant.dirs[0].host = folder.path().to_str().unwrap().into();
        let input = Box::new(Bytes::new(Vec::new()));
        let on_disk = engine.load(&case.wasm).unwrap().run(Call {
            grant: &grant,
            limits: &case.limits,
            world: native::world(&grant, input).unwrap(),
        });
        let text = |outcome: &Outcome| String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert_eq!(text(&in_memory), text(&on_disk));
        assert_eq!(in_memory.denials, on_disk.denials);
        assert!(on_disk.stdout.len() > 500);
    }
}

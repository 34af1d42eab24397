//! What is not run, and compiled modules on disk that are not believed.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::{fs, path::PathBuf};
use tau_target_wasi::{Bytes, Call, Engine, Grant, Limits, Refusal, native};
use tau_target_wasmtime::{Cache, Unusable};
use tau_test_wasm::{engines, module};
use tempfile::TempDir;

fn refusal(engine: &dyn Engine, wasm: &[u8]) -> Refusal {
    match engine.load(wasm) {
        Err(refusal) => refusal,
        Ok(_) => panic!("{} loads it", engine.name()),
    }
}

#[test]
fn what_is_not_a_module_is_refused_by_name() {
    for engine in engines().unwrap() {
        for not_wasm in [&b""[..], b"\0as", b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01\0"] {
            assert_eq!(refusal(&*engine, not_wasm), Refusal::NotWasm);
        }
        let component = b"\0asm\x0d\0\x01\0";
        assert_eq!(refusal(&*engine, component), Refusal::Component);
        let later = b"\0asm\x02\0\0\0";
        assert_eq!(refusal(&*engine, later), Refusal::Version(2));
        let cut = &module("(func (export \"_start\"))").unwrap()[..100];
        assert!(matches!(refusal(&*engine, cut), Refusal::Invalid(_)));
        let garbage = b"\0asm\x01\0\0\0garbage";
        assert!(matches!(refusal(&*engine, garbage), Refusal::Invalid(_)));
    }
}

#[test]
fn a_module_that_is_no_command_is_refused() {
    let modules = [
        "(module (func (export \"run\")))",
        "(module (func (export \"_start\") (param i32)))",
        "(module (memory (export \"_start\") 1))",
    ];
    for engine in engines().unwrap() {
        for text in modules {
            let wasm = wat::parse_str(text).unwrap();
            assert_eq!(refusal(&*engine, &wasm), Refusal::NotCommand, "{text}");
        }
    }
}

#[test]
fn a_memory_that_is_imported_is_not_there() {
    let text = "(module (import \"env\" \"memory\" (memory 1)) (func (export \"_start\")))";
    let wasm = wat::parse_str(text).unwrap();
    for engine in engines().unwrap() {
        let expected = "imports the memory env.memory, which nothing here has";
        assert_eq!(refusal(&*engine, &wasm).to_string(), expected);
    }
}

#[test]
fn features_beyond_the_common_set_are_refused_by_both() {
    let modules = [
        "(module (func (export \"_start\") (drop (v128.const i64x2 1 2))))",
        "(module (memory i64 1) (func (export \"_start\")))",
        "(module (memory 1) (memory 1) (func (export \"_start\")))",
        "(module (memory 1 1 shared) (func (export \"_start\")))",
    ];
    for engine in engines().unwrap() {
        for text in modules {
            let wasm = wat::parse_str(text).unwrap();
            let refusal = refusal(&*engine, &wasm);
            assert!(matches!(refusal, Refusal::Invalid(_)), "{text}: {refusal}");
        }
    }
}

/// A cache in a folder of its own.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("modules")
    }

    fn key(&self) -> PathBuf {
        self.root.path().join("modules.key")
    }

    fn open(&self) -> Result<Cache, Unusable> {
        Cache::open(&self.folder(), &self.key())
    }

    fn engine(&self) -> tau_target_wasmtime::Engine {
        tau_target_wasmtime::Engine::new(Some(self.open().unwrap())).unwrap()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }
}

fn prints(engine: &dyn Engine, number: u32) {
    let fields = format!("(func (export \"_start\") (call $show (i32.const {number})))");
    let grant = Grant::default();
    let input = Box::new(Bytes::new(Vec::new()));
    let program = engine.load(&module(&fields).unwrap()).unwrap();
    let outcome = program.run(Call {
        grant: &grant,
        limits: &Limits::default(),
        world: native::world(&grant, input).unwrap(),
    });
    assert_eq!(outcome.stdout, format!("{number}\n").as_bytes());
}

#[test]
fn a_compiled_module_is_kept_and_used_by_the_next_engine() {
    let place = Place::new();
    prints(&place.engine(), 1);
    let kept = place.kept();
    assert_eq!(kept.len(), 1);
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    let engine = place.engine();
    prints(&engine, 1);
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written);
    prints(&engine, 2);
    assert_eq!(place.kept().len(), 2);
}

#[test]
fn a_changed_file_is_compiled_again_and_replaced() {
    let place = Place::new();
    prints(&place.engine(), 1);
    let file = place.kept().remove(0);
    let whole = fs::read(&file).unwrap();
    let changes: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[40] ^= 1,
        |bytes| {
            let end = bytes.len() - 1;
            bytes[end] ^= 0x80;
        },
        |bytes| bytes.truncate(1_000),
        |bytes| bytes.clear(),
        |bytes| bytes[..32].fill(0),
    ];
    for change in changes {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        prints(&place.engine(), 1);
        assert_eq!(fs::read(&file).unwrap(), whole, "it was put right");
    }
}

#[test]
fn a_file_of_another_module_under_its_name_is_not_believed() {
    let place = Place::new();
    prints(&place.engine(), 1);
    let first = place.kept().remove(0);
    prints(&place.engine(), 2);
    let second = place
        .kept()
        .into_iter()
        .find(|file| *file != first)
        .unwrap();
    fs::copy(&second, &first).unwrap();
    prints(&place.engine(), 1);
}

#[test]
fn what_another_key_signed_is_not_believed() {
    let (place, other) = (Place::new(), Place::new());
    prints(&place.engine(), 1);
    prints(&other.engine(), 1);
    let name = place.kept().remove(0);
    let foreign = other.folder().join(name.file_name().unwrap());
    fs::copy(&foreign, &name).unwrap();
    prints(&place.engine(), 1);
    assert_ne!(fs::read(&name).unwrap(), fs::read(&foreign).unwrap());
}

#[test]
fn a_key_in_the_folder_it_protects_is_refused() {
    let place = Place::new();
    let opened = Cache::open(&place.folder(), &place.folder().join("key"));
    assert!(matches!(opened, Err(Unusable::Exposed { .. })));
}

#[cfg(unix)]
#[test]
fn a_folder_or_a_key_that_others_can_reach_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    place.open().unwrap();
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place.folder()), mode(&place.key())), (0o700, 0o600));

    let open_up = |path: &PathBuf, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open_up(&place.folder(), 0o777);
    assert!(matches!(place.open(), Err(Unusable::Exposed { .. })));
    open_up(&place.folder(), 0o700);
    open_up(&place.key(), 0o644);
    assert!(matches!(place.open(), Err(Unusable::Exposed { .. })));
    open_up(&place.key(), 0o600);
    place.open().unwrap();

    fs::rename(place.key(), place.root.path().join("moved")).unwrap();
    symlink(place.root.path().join("moved"), place.key()).unwrap();
    assert!(matches!(place.open(), Err(Unusable::Exposed { .. })));
}

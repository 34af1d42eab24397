//! `tau wasm`: a program gets what it is given, ends as it does, and at its limits.

use crate::support::{Tau, finish};
use std::{fs, path::PathBuf, process::Stdio};
use tau_test_wasm::module;

/// A module of these fields after the corpus' prelude, in the workspace.
fn program(tau: &Tau, fields: &str) -> PathBuf {
    let file = tau.workspace().join("program.wasm");
    let wasm = module(fields).expect("a module in the text format");
    fs::write(&file, wasm).expect("a file of the workspace");
    file
}

/// Copies standard input to standard output and ends with 5.
const ECHO: &str = "(func (export \"_start\")
    (loop $more
      (i32.store (i32.const 0) (i32.const 100))
      (i32.store (i32.const 4) (i32.const 50))
      (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $print (i32.const 100) (i32.load (i32.const 8)))
      (br_if $more (i32.load (i32.const 8))))
    (call $proc_exit (i32.const 5)))";

const FOREVER: &str = "(func (export \"_start\") (loop $on (br $on)))";

#[test]
fn input_output_and_exit_code_are_the_programs_own_under_both_engines() {
    let tau = Tau::new();
    program(&tau, ECHO);
    for engine in ["wasmtime", "wasmi"] {
        let run = ["wasm", "run", "program.wasm", "--engine", engine];
        let done = tau.tau_with(&run, b"to and fro");
        assert_eq!(done.code(5).stdout, "to and fro");
        let done = tau.tau_with(&[&run[..], &["--json"]].concat(), b"to and fro");
        let json = done.code(5).json();
        assert_eq!(json["exit"], 5);
        assert_eq!(json["stdout"], "to and fro");
        assert_eq!(json["stderr"], "");
        assert_eq!(json["trap"], serde_json::Value::Null);
        assert_eq!(json["memory_bytes"], 65_536);
        assert!(json["fuel"].as_u64().unwrap() > 0);
        assert!(json["duration_ms"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn arguments_environment_and_folders_are_those_given() {
    let tau = Tau::new();
    fs::create_dir(tau.workspace().join("folder")).unwrap();
    fs::write(tau.workspace().join("folder/a"), "1").unwrap();
    program(
        &tau,
        "(data (i32.const 0) \"ab\")
         (func (export \"_start\")
           (drop (call $args_sizes_get (i32.const 100) (i32.const 104)))
           (drop (call $args_get (i32.const 200) (i32.const 300)))
           (call $print (i32.const 300) (i32.load (i32.const 104)))
           (drop (call $environ_sizes_get (i32.const 100) (i32.const 104)))
           (drop (call $environ_get (i32.const 200) (i32.const 300)))
           (call $print (i32.const 300) (i32.load (i32.const 104)))
           (drop (call $open (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 2)))
           (drop (call $open (i32.const 1) (i32.const 1) (i32.const 1) (i64.const 66))))",
    );
    let run = |dir: &str| {
        let arguments = ["--dir", dir, "--env", "K=a=b", "--", "--flag", "x"];
        let done = tau.tau(&[&["wasm", "run", "program.wasm"], &arguments[..]].concat());
        done.code(0).stdout.clone()
    };
    let given = "program.wasm\0--flag\0x\0K=a=b\0";
    assert_eq!(run("folder::/in:ro"), format!("{given}0\n69\n"));
    assert!(!tau.workspace().join("folder/b").exists());
    assert_eq!(run("folder::/in"), format!("{given}0\n0\n"));
    assert!(tau.workspace().join("folder/b").exists());
}

#[test]
fn a_limit_ends_it_with_7_and_is_named() {
    let tau = Tau::new();
    program(&tau, FOREVER);
    for engine in ["wasmtime", "wasmi"] {
        let run = |arguments: &[&str]| {
            let base = ["wasm", "run", "program.wasm", "--engine", engine];
            tau.tau(&[&base[..], arguments].concat())
        };
        run(&["--fuel", "100000"])
            .code(7)
            .tells("ended at its limit: fuel (100000; raise --fuel)");
        let endless = ["--fuel", "9000000000000", "--wall-ms", "100", "--json"];
        let done = run(&endless);
        assert_eq!(done.code(7).json()["trap"], "deadline");
        done.tells("deadline (100 ms; raise --wall-ms)");
    }
    let grow = "(func (export \"_start\") (loop $on (drop (memory.grow (i32.const 1))) (br $on)))";
    program(&tau, grow);
    tau.tau(&["wasm", "run", "program.wasm", "--memory-bytes", "200000"])
        .code(7)
        .tells("memory (200000 bytes; raise --memory-bytes)");
}

#[test]
fn a_fault_ends_it_with_134_and_a_call_of_what_is_not_there_with_77() {
    let tau = Tau::new();
    program(
        &tau,
        "(func (export \"_start\") (call $show (i32.const 1)) unreachable)",
    );
    let done = tau.tau(&["wasm", "run", "program.wasm"]);
    assert_eq!(done.code(134).stdout, "1\n");
    done.tells("ended by a trap: unreachable");

    let text =
        "(module (import \"env\" \"open_door\" (func $f)) (func (export \"_start\") (call $f)))";
    fs::write(
        tau.workspace().join("text.wasm"),
        wat::parse_str(text).unwrap(),
    )
    .unwrap();
    let done = tau.tau(&["wasm", "run", "text.wasm", "--json"]);
    assert_eq!(done.code(77).json()["trap"], "denied:env.open_door");
    done.tells("denied: env.open_door");
}

#[test]
fn what_cannot_be_run_is_refused_with_the_reason() {
    let tau = Tau::new();
    tau.write("script.wasm", "#!/bin/sh");
    fs::write(tau.workspace().join("component.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    for (file, why) in [
        ("script.wasm", "not a WebAssembly module"),
        ("component.wasm", "a WebAssembly component, not a module"),
        ("none.wasm", "cannot read none.wasm"),
    ] {
        for command in ["run", "inspect"] {
            tau.tau(&["wasm", command, file]).code(2).tells(why);
        }
    }
    program(&tau, FOREVER);
    tau.tau(&["wasm", "run", "program.wasm", "--dir", "nowhere::/x"])
        .code(2)
        .tells("the folder nowhere cannot be given");
}

#[test]
fn an_inspection_shows_the_outside_without_running_it() {
    let tau = Tau::new();
    program(&tau, FOREVER);
    let done = tau.tau(&["wasm", "inspect", "program.wasm", "--json"]);
    let json = done.code(0).json();
    assert_eq!(json["command"], true);
    assert_eq!(json["memory_bytes"], 65_536);
    assert_eq!(json["memory_limit_bytes"], serde_json::Value::Null);
    let import = &json["imports"][0];
    assert_eq!(import["module"], "wasi_snapshot_preview1");
    assert_eq!(import["known"], true);
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    let done = tau.tau(&["wasm", "inspect", "program.wasm"]);
    assert!(done.code(0).stdout.contains("export   _start (func)"));
}

#[test]
fn a_reader_that_waits_for_ever_is_ended_at_the_deadline() {
    let tau = Tau::new();
    program(&tau, ECHO);
    let mut command = tau.command(["wasm", "run", "program.wasm", "--wall-ms", "300"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // Held open, and nothing is written.
    let held = child.stdin.take().unwrap();
    let status = child.wait().unwrap();
    drop(held);
    assert_eq!(status.code(), Some(7));
}

#[test]
fn a_compiled_module_is_kept_for_its_owner_alone() {
    let tau = Tau::new();
    program(&tau, ECHO);
    tau.tau(&["wasm", "run", "program.wasm"]).code(5);
    let kept = fs::read_dir(tau.home().join("modules")).unwrap().count();
    assert_eq!(kept, 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = tau.home().join("modules");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let done = finish(
            tau.command(["wasm", "run", "program.wasm"])
                .spawn()
                .unwrap(),
            b"",
        );
        done.code(5).tells("compiled modules are not kept");
    }
}

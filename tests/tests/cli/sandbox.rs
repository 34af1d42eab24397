//! `tau sandbox`: a program runs confined, or not at all.
#![cfg(target_os = "linux")]

use crate::support::{Tau, finish};
use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_confined_program_writes_to_its_folder_and_nowhere_else() {
    let tau = Tau::new();
    let outside = tau.home().with_file_name("outside.txt");
    let script = format!("echo in > in.txt; echo out > {}", outside.display());
    // To the program it may seem to have been written: the folders above its own are not the real ones.
    tau.tau(&["sandbox", "run", "--", "sh", "-c", &script]);
    let written = fs::read_to_string(tau.workspace().join("in.txt")).unwrap();
    assert_eq!(written, "in\n");
    assert!(!outside.exists());
}

#[test]
fn its_output_and_its_exit_code_are_the_programs_own() {
    let tau = Tau::new();
    let done = tau.tau(&["sandbox", "run", "--", "sh", "-c", "echo said; exit 41"]);
    assert_eq!(done.code(41).stdout, "said\n");
    let done = tau.tau(&["sandbox", "run", "--", "sh", "-c", "kill -TERM $$"]);
    done.code(128 + 15);
}

#[test]
fn what_tau_keeps_and_a_persons_keys_are_not_there() {
    let tau = Tau::new();
    fs::create_dir_all(tau.home().join("kept")).unwrap();
    fs::write(tau.home().join("credentials.json"), "sealed").unwrap();
    // The folder of the person is the workspace.
    let person = tau.home().parent().unwrap();
    fs::create_dir(person.join(".ssh")).unwrap();
    fs::write(person.join(".ssh/id_ed25519"), "private").unwrap();
    let folder = person.to_str().unwrap();
    let script = "cat home/credentials.json .ssh/id_ed25519; env; echo $ONE";
    let run = [
        "sandbox",
        "run",
        "--workspace",
        folder,
        "--env",
        "ONE=1",
        "--",
    ];
    let done = tau.tau(&[&run[..], &["sh", "-c", script]].concat());
    done.code(0);
    for secret in ["sealed", "private", "SIM_KEY"] {
        assert!(!done.stdout.contains(secret), "{}", done.stdout);
    }
    assert!(done.stdout.ends_with("\n1\n"), "{}", done.stdout);
}

#[test]
fn without_bubblewrap_nothing_runs_and_the_hint_installs_it() {
    let tau = Tau::new();
    let run = |arguments: &[&str]| {
        let mut command = tau.command(arguments);
        finish(command.env("PATH", tau.home()).spawn().unwrap(), b"")
    };
    let done = run(&["sandbox", "run", "--", "/bin/sh", "-c", "echo x > made.txt"]);
    done.code(77).tells("apt-get install bubblewrap");
    assert!(!tau.workspace().join("made.txt").exists());
    let done = run(&["sandbox", "status", "--json"]);
    assert_eq!(done.code(77).json()["bubblewrap"]["available"], false);
}

#[test]
fn a_folder_that_holds_the_system_is_no_workspace() {
    let tau = Tau::new();
    let done = tau.tau(&["sandbox", "run", "--workspace", "/", "--", "true"]);
    done.code(2).tells("the system is in it");
}

#[test]
fn ctrl_c_ends_the_program_and_all_it_started() {
    let tau = Tau::new();
    let script = "echo ready > ready.txt; (sleep 2; echo late > late.txt) & sleep 30";
    let child = tau
        .command(["sandbox", "run", "--", "sh", "-c", script])
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !tau.workspace().join("ready.txt").exists() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not start"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    finish(child, b"").code(130);
    thread::sleep(Duration::from_millis(2_500));
    assert!(!tau.workspace().join("late.txt").exists());
}

#[test]
fn no_program_outlives_a_tau_that_is_killed_at_any_moment() {
    const KILLS: u32 = 60;
    let tau = Tau::new();
    // How it is found among all processes: nobody else sleeps for so long.
    let seconds = format!("9{:06}", std::process::id());
    let run = ["sandbox", "run", "--", "sleep", &seconds];
    let began = Instant::now();
    tau.tau(&["sandbox", "run", "--", "true"]).code(0);
    let whole = began.elapsed();
    for kill in 0..KILLS {
        let mut child = tau.command(&run).spawn().unwrap();
        thread::sleep(whole * kill / (KILLS - 10));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let program = format!("sleep\0{seconds}\0");
    let left = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.filter(|line| *line == program.as_bytes()).count()
    };
    let began = Instant::now();
    while left() > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{} are left",
            left()
        );
        thread::sleep(Duration::from_millis(50));
    }
    // One that was about to start would by now.
    thread::sleep(Duration::from_millis(500));
    assert_eq!(left(), 0);
}

#[test]
fn status_says_what_holds_here() {
    let tau = Tau::new();
    let done = tau.tau(&["sandbox", "status"]);
    assert!(
        done.code(0).stdout.contains("no network"),
        "{}",
        done.stdout
    );
    let shown = tau.tau(&["sandbox", "status", "--json"]).json();
    assert_eq!(shown["bubblewrap"]["available"], true);
}

#[test]
fn keys_that_a_link_leads_to_are_not_there_either() {
    let tau = Tau::new();
    let person = tau.home().parent().unwrap();
    fs::create_dir_all(person.join("dotfiles/ssh")).unwrap();
    fs::write(person.join("dotfiles/ssh/id_ed25519"), "private").unwrap();
    std::os::unix::fs::symlink("dotfiles/ssh", person.join(".ssh")).unwrap();
    let mut command = tau.command(["sandbox", "run", "--", "sh", "-c", "cat ssh/id_ed25519"]);
    command.current_dir(person.join("dotfiles"));
    let done = finish(command.spawn().unwrap(), b"");
    assert!(!done.stdout.contains("private"), "{}", done.stdout);
    assert_ne!(done.code, 0);
}

#[test]
fn a_folder_of_taus_own_that_is_not_there_yet_is_not_made_by_a_program() {
    let tau = Tau::new();
    let person = tau.home().parent().unwrap();
    assert!(!tau.home().exists());
    let script = "mkdir -p home; echo '[policy]' > home/config.toml; true";
    let mut command = tau.command(["sandbox", "run", "--", "sh", "-c", script]);
    command.current_dir(person);
    finish(command.spawn().unwrap(), b"").code(0);
    assert!(!tau.home().join("config.toml").exists());
}

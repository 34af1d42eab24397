//! What is protected exchanged for a link while the sandbox around it is made.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Read,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tau_target_bubblewrap::Bubblewrap;
use tau_target_process::{Confinement, Input, Job, Limits, Output, Running, Sandbox};

const STARTS: u32 = 150;

fn job(workspace: &Path, git: &Path) -> (Job, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let job = Job {
        program: ["sh", "-c", "cat .git/notes; echo x > .git/made"]
            .map(Into::into)
            .to_vec(),
        confinement: Confinement {
            workspace: workspace.to_owned(),
            read_only: vec![git.to_owned()],
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            limits: Limits::default(),
        },
        input: Input::Null,
        output: Output::Pipe(writer.try_clone().unwrap()),
        errors: Output::Pipe(writer),
    };
    (job, reader)
}

#[tokio::test(flavor = "current_thread")]
async fn a_relative_link_in_the_place_of_what_is_protected_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (workspace, outside) = (root.join("workspace"), root.join("outside"));
    let (git, away) = (workspace.join(".git"), workspace.join("away"));
    fs::create_dir_all(&git).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("notes"), "of-somebody-else").unwrap();
    let bubblewrap = Bubblewrap::find().unwrap();
    // As a program would that runs in the same workspace.
    let stop = Arc::new(AtomicBool::new(false));
    let exchange = thread::spawn({
        let (stop, git) = (Arc::clone(&stop), git.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&git, &away).unwrap();
                // From the real folder, and from where bwrap has the old root meanwhile.
                symlink("../outside", &git).unwrap();
                thread::sleep(Duration::from_millis(2));
                fs::remove_file(&git).unwrap();
                fs::rename(&away, &git).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..STARTS {
        let (job, mut said) = job(&workspace, &git);
        match bubblewrap.start(job).await {
            Ok(mut running) => {
                ran += u32::from(running.wait().await.unwrap().code() == 0);
                running.end().await;
                let mut text = String::new();
                said.read_to_string(&mut text).unwrap();
                assert!(!text.contains("of-somebody-else"), "{text}");
            }
            Err(error) => refused += u32::from(error.to_string().contains("was exchanged")),
        }
    }
    stop.store(true, Ordering::Relaxed);
    exchange.join().unwrap();
    assert!(!outside.join("made").exists());
    eprintln!(
        "of {STARTS}, {refused} were refused as exchanged, {ran} wrote to what was free then"
    );
}

//! What a program in a container sees, and who it is.

use std::{
    fs,
    os::unix::fs::{chown, symlink},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{ORDINARY, Place};
use tau_sandbox_tests::DATA;
use tau_target_docker::Docker;
use tau_target_process::{Running, Sandbox};

#[tokio::test]
async fn nothing_that_an_image_sets_reaches_a_program() {
    let place = Place::new().await;
    let (mut job, pipes) =
        place.job("pwd; id -u; env | sort; stat -f -c %T /data; df -k /data | tail -1");
    job.confinement.environment = vec![("A".into(), "b".into())];
    let said = place.finish(job, pipes).await;
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], place.workspace().to_str().unwrap(), "{said:?}");
    assert_ne!(lines[1], "0");
    let (environment, data) = lines[2..].split_at(lines.len() - 4);
    let own = |line: &&&str| !line.starts_with("PWD=") && !line.starts_with("_=");
    let environment: Vec<_> = environment.iter().filter(own).collect();
    // Of the image only where its programs are, where the job does not say.
    assert_eq!(environment, [&"A=b", &"PATH=/usr/bin:/bin:/usr/sbin:/sbin"]);
    // A folder that would have been on the disk, without limit.
    assert_eq!(data[0], "tmpfs");
    assert_eq!(data[1].split_whitespace().nth(1), Some("4096"), "{data:?}");
    assert_eq!(DATA, "/data");
}

#[tokio::test]
async fn the_system_is_read_only_and_scratch_is_not() {
    let place = Place::new().await;
    let said = place
        .run(
            "for place in / /etc /usr /var /dev /sys /proc/sys; do \
               ( : > $place/tau-test ) 2>/dev/null && echo \"$place was written\"; done; \
             for place in . /tmp /var/tmp /run /dev/shm /data; do \
               ( : > $place/tau-test ) || echo \"$place was not written\"; done",
        )
        .await;
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert!(place.workspace().join("tau-test").exists());
}

#[tokio::test]
async fn what_is_hidden_is_not_there_and_what_is_read_only_stays() {
    let place = Place::new().await;
    let workspace = place.workspace();
    for folder in [".git", ".ssh", "a/b"] {
        fs::create_dir_all(workspace.join(folder)).unwrap();
    }
    for file in [".git/config", ".ssh/key", ".netrc", "a/b/notes"] {
        fs::write(workspace.join(file), "before\n").unwrap();
        chown(workspace.join(file), Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
    for folder in [".git", ".ssh", "a", "a/b"] {
        chown(workspace.join(folder), Some(ORDINARY), Some(ORDINARY)).unwrap();
    }
    let (mut job, pipes) = place.job(
        "cat .git/config a/b/notes; ls -A .ssh; cat .netrc; exec 2>/dev/null; \
         for file in .git/config .git/more a/b/notes .ssh/key .netrc; do \
           sh -c \": > $file\" && echo \"$file was written\"; done; \
         mv .git away && echo moved; mv .ssh away && echo moved; rm .netrc && echo removed; :",
    );
    job.confinement.read_only = vec![workspace.join(".git"), workspace.join("a/b/notes")];
    job.confinement.hidden = vec![workspace.join(".ssh"), workspace.join(".netrc")];
    let said = place.finish(job, pipes).await;
    assert_eq!(said.out, "before\nbefore\n", "{said:?}");
    for file in [".git/config", ".ssh/key", ".netrc", "a/b/notes"] {
        assert_eq!(
            fs::read_to_string(workspace.join(file)).unwrap(),
            "before\n"
        );
    }
}

/// Makes root the owner of the workspace, as it is when root makes one.
fn take_back(place: &Place) {
    let workspace = place.workspace();
    fs::write(workspace.join("notes"), "here\n").unwrap();
    chown(&workspace, Some(0), Some(0)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&workspace, mode).unwrap();
}

#[tokio::test]
async fn a_workspace_of_roots_is_read_by_nobody_and_not_written() {
    let place = Place::new().await;
    take_back(&place);
    let said = place.run("id -u; id -g; cat notes; : > new").await;
    assert_eq!(said.out, "65534\n65534\nhere\n");
    assert!(said.err.contains("Permission denied"), "{said:?}");
}

#[tokio::test]
async fn a_workspace_of_roots_is_written_by_a_root_without_powers_if_that_is_asked_for() {
    let mut place = Place::new().await;
    let mut configuration = crate::configuration(&place.engine);
    configuration.as_root = true;
    place.docker = Docker::connect(configuration).await.unwrap();
    take_back(&place);
    let said = place
        .run(
            "id -u; echo x > new; exec 2>/dev/null; grep ^Cap /proc/self/status | grep -v 0000000000000000; \
             chown 1000 new || echo kept; ( : > /etc/new ) || echo read-only",
        )
        .await;
    assert_eq!(said.out, "0\nkept\nread-only\n", "{said:?}");
    assert_eq!(
        fs::read_to_string(place.workspace().join("new")).unwrap(),
        "x\n"
    );
}

#[tokio::test]
async fn the_status_is_what_a_program_sees() {
    let place = Place::new().await;
    let status = place.docker.status(&place.workspace()).await.unwrap();
    assert_eq!(status.address, place.engine.socket.to_str().unwrap());
    assert!(status.engine.contains("API 1."), "{status:?}");
    // These depend on the machine; that something says so is what counts.
    let of_machine = ["swap is limited", "the engine's root is not the machine's"];
    for fact in &status.facts {
        let fails = !fact.holds && !of_machine.contains(&fact.what);
        assert!(!fails, "{fact:?}");
        assert!(!fact.seen.is_empty(), "{fact:?}");
    }
    assert_eq!(status.facts.len(), 13);
    assert_eq!(fs::read_dir(place.workspace()).unwrap().count(), 0);
}

#[tokio::test]
async fn where_the_workspace_cannot_be_written_the_status_says_so() {
    let place = Place::new().await;
    chown(place.workspace(), Some(0), Some(0)).unwrap();
    let status = place.docker.status(&place.workspace()).await.unwrap();
    let failing: Vec<_> = status.facts.iter().filter(|fact| !fact.holds).collect();
    assert!(
        failing
            .iter()
            .any(|fact| fact.what == "the workspace can be written")
    );
}

#[tokio::test]
async fn a_link_put_in_the_place_of_what_is_protected_leads_nowhere() {
    let place = Place::new().await;
    let workspace = place.workspace();
    let outside = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(outside.path(), open).unwrap();
    fs::write(outside.path().join("notes"), "of-somebody-else").unwrap();
    let (git, away) = (workspace.join(".git"), workspace.join("away"));
    fs::create_dir(&git).unwrap();
    // As a program would that runs in the same workspace: most of the time the link is there.
    let stop = Arc::new(AtomicBool::new(false));
    let exchange = thread::spawn({
        let (stop, git, target) = (Arc::clone(&stop), git.clone(), outside.path().to_owned());
        move || {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&git, &away).unwrap();
                symlink(&target, &git).unwrap();
                thread::sleep(Duration::from_millis(3));
                fs::remove_file(&git).unwrap();
                fs::rename(&away, &git).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let mut refused = 0;
    for _ in 0..20 {
        let (mut job, [out, _err]) = place.job("cat .git/notes");
        job.confinement.read_only = vec![git.clone()];
        match place.docker.start(job).await {
            Ok(mut running) => {
                running.wait().await.unwrap();
                running.end().await;
                assert!(!crate::read(out).contains("of-somebody-else"));
            }
            Err(error) => refused += u32::from(error.to_string().contains("was exchanged")),
        }
    }
    stop.store(true, Ordering::Relaxed);
    exchange.join().unwrap();
    eprintln!("{refused} of 20 were refused");
}

//! A secret reaches the program, and nothing else ever shows it.

use std::{fs, path::Path};

use tau_sandbox_tests::Engine;
use tau_target_process::{Running, Sandbox};

use crate::Place;

const SECRET: &str = "a-secret-that-only-the-program-has-4d1c";

/// The regular files below `folder` that hold the secret.
fn files_with_secret(folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        if kind.is_dir() {
            // The container's own view: of it only `/proc` and the workspace, and of the host's
            // system that the tests bind, nothing is the engine's.
            if path
                .file_name()
                .is_some_and(|name| name != "merged" && name != "rootfs")
            {
                files_with_secret(&path, found);
            }
        } else if kind.is_file()
            && fs::read(&path).is_ok_and(|bytes| {
                bytes
                    .windows(SECRET.len())
                    .any(|window| window == SECRET.as_bytes())
            })
        {
            found.push(path.display().to_string());
        }
    }
}

/// The processes of the machine whose command line holds the secret.
fn command_lines_with_secret() -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(SECRET))
        })
        .count()
}

#[tokio::test]
async fn a_secret_is_in_the_program_and_nowhere_else() {
    // An engine of its own: what it keeps is looked through.
    let folder = tempfile::tempdir().unwrap();
    let (private, image) = crate::private(folder.path()).await;
    let place = Place::at(&Engine {
        socket: private.socket(),
        image: image.clone(),
    })
    .await;
    let (mut job, [out, _err]) =
        place.job("printenv TOKEN; tr '\\0' '\\n' < /proc/1/environ; read -r _; sleep 1");
    let (input, mut enough) = std::io::pipe().unwrap();
    job.input = tau_target_process::Input::Pipe(input);
    job.confinement.environment = vec![
        ("TOKEN".into(), SECRET.into()),
        ("PATH".into(), "/usr/bin:/bin".into()),
    ];
    let mut running = place.docker.start(job).await.unwrap();
    let client = place.client();
    let described = client
        .inspect_container(running.name(), None)
        .await
        .unwrap();
    assert!(!format!("{described:?}").contains(SECRET));
    assert_eq!(command_lines_with_secret(), 0);
    let mut found = Vec::new();
    files_with_secret(folder.path(), &mut found);
    assert_eq!(found, [""; 0], "while it runs");

    std::io::Write::write_all(&mut enough, b"\n").unwrap();
    assert_eq!(running.wait().await.unwrap().code(), 0);
    let name = running.name().to_owned();
    running.end().await;
    let said = crate::read(out);
    // The program's own variable; the first process of the container has none of it.
    assert_eq!(said.matches(SECRET).count(), 1, "{said}");
    assert!(!place.exists(&name).await);
    let history = client.image_history(&image).await.unwrap();
    assert!(!format!("{history:?}").contains(SECRET));
    let described = client.inspect_image(&image).await.unwrap();
    assert!(!format!("{described:?}").contains(SECRET));
    files_with_secret(folder.path(), &mut found);
    assert_eq!(found, [""; 0], "afterwards");
}

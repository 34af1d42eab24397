//! A key that the system's keyring holds: GNOME's, on a bus of the test's own.
//!
//! What is missing fails, and names the command that installs it: `cargo xtask setup`.

use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

use crate::support::{Done, Server, Tau, finish, say};

/// How long the keyring may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says the bus's address, and keeps the keyring until stdin ends.
const SESSION: &str = r#"
echo "$DBUS_SESSION_BUS_ADDRESS"
printf 'words of the desktop' | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
read -r _
kill $!
wait $!
"#;

/// A desktop session with an open keyring and nothing else.
struct Desktop {
    folder: TempDir,
    session: Child,
    /// Its end ends the session.
    held: Option<ChildStdin>,
    bus: String,
}

impl Desktop {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
        let mut session = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", SESSION])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-run-session starts; `cargo xtask setup` installs it");
        let held = session.stdin.take();
        let mut bus = String::new();
        let out = session.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut bus).expect("an address");
        Self {
            folder,
            session,
            held,
            bus: bus.trim().into(),
        }
    }

    /// Runs `tau` in the session.
    fn tau(&self, tau: &Tau, arguments: &[&str], stdin: &str) -> Done {
        let mut command = tau.command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command.stdin(Stdio::piped());
        finish(command.spawn().expect("tau starts"), stdin.as_bytes())
    }

    /// Runs `tau` until the keyring answers.
    fn once_there(&self, tau: &Tau, arguments: &[&str], stdin: &str) -> Done {
        let began = Instant::now();
        loop {
            let done = self.tau(tau, arguments, stdin);
            let answers = !done.stderr.contains("no keyring answers here");
            if answers || began.elapsed() > PATIENCE {
                return done;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.held.take();
        // One that has ended is what is wanted.
        drop(self.session.wait());
    }
}

#[test]
fn a_key_in_the_keyring_opens_the_store_for_other_processes_and_for_nobody_without_it() {
    let desktop = Desktop::start();
    let tau = Tau::new();
    let value = ["tk", "Qx7Lm2Vp9Rw4", "keyring"].join("-");
    let server = Server::new([say("Hello.")]);
    let origin = server.url().trim_end_matches("/v1");
    let set = ["secret", "set", "model", "--host", origin, "--keyring"];
    desktop.once_there(&tau, &set, &value).code(0);
    let listed = tau.tau(&["secret", "list", "--json"]).code(0).json();
    assert_eq!(listed["key_held_by"], json!("keyring"));
    for (path, bytes) in tau.kept() {
        let found = bytes
            .windows(value.len())
            .any(|part| part == value.as_bytes());
        assert!(!found, "the value is in {}", path.display());
    }

    tau.profile(&format!(
        "[provider]\nbase_url = \"{}\"\nmodel = \"sim\"\nkey = \"secret:model\"\n",
        server.url()
    ));
    desktop.tau(&tau, &["run", "hello"], "").code(0);
    let sent = ("authorization".into(), format!("Bearer {value}"));
    assert!(server.asked()[0].headers.contains(&sent));

    let rotate = ["secret", "rotate", "model"];
    let without = tau.tau_with(&rotate, value.as_bytes());
    without.code(4).tells("no keyring answers here");

    // From the keyring to a passphrase, the value stays what it was.
    let mut rekey = tau.command(["secret", "rekey", "--passphrase"]);
    rekey.env("DBUS_SESSION_BUS_ADDRESS", &desktop.bus);
    rekey.env("XDG_RUNTIME_DIR", desktop.folder.path());
    rekey.env("TAU_NEW_PASSPHRASE", "four words of mine");
    finish(rekey.spawn().expect("tau starts"), b"").code(0);
    let listed = tau.tau(&["secret", "list", "--json"]).code(0).json();
    assert_eq!(listed["key_held_by"], json!("passphrase"));
}

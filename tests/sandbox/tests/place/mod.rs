//! What there is to be reached: files, processes and sockets of somebody else.

use std::{
    env, fs,
    fs::File,
    net::{TcpListener, UdpSocket},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::fs::lchown,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;

/// The variable that holds [`SECRET`].
pub(crate) const VARIABLE: &str = "TAU_TEST_SECRET";
/// What no confined program may print.
pub(crate) const SECRET: &str = "what-nobody-may-know-7f3a";

/// A user that is not root.
const ORDINARY: u32 = 1_000;

/// Whether this user may do what root may.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A workspace and what is around it. Dropping it removes all of it.
pub(crate) struct Place {
    folder: TempDir,
    scratch: PathBuf,
    shared: PathBuf,
    sleeper: Child,
    segment: String,
    descriptor: File,
    address: SocketAddr,
    ports: [u16; 3],
    engine: PathBuf,
    // Held open for as long as somebody may connect.
    _listeners: (UnixListener, UnixListener, TcpListener, TcpListener),
}

impl Place {
    /// A place beside the engine that listens at `engine`.
    pub(crate) fn new(engine: &Path) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["outside", "workspace", "workspace/.tau"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("outside/secret.txt"), SECRET).unwrap();
        fs::write(path("workspace/.tau/policy.toml"), "preset = \"strict\"\n").unwrap();
        std::os::unix::fs::symlink(path("outside"), path("workspace/link")).unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let name = format!("tau-{}", name.trim_start_matches('.'));
        let scratch = env::temp_dir().join(&name);
        let shared = PathBuf::from("/dev/shm").join(&name);
        fs::write(&scratch, SECRET).unwrap();
        fs::write(&shared, SECRET).unwrap();

        let descriptor = File::open(path("outside/secret.txt")).unwrap();
        rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::empty()).unwrap();
        let sleeper = Command::new("sleep")
            .arg("120")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let made = Command::new("ipcmk").args(["-M", "4096"]).output().unwrap();
        let made = String::from_utf8(made.stdout).unwrap();
        let segment = made.trim().rsplit(' ').next().unwrap().to_owned();

        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listeners = (
            UnixListener::bind(path("outside/listen.sock")).unwrap(),
            UnixListener::bind_addr(&address).unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("[::1]:0").unwrap(),
        );
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let ports = [
            listeners.2.local_addr().unwrap().port(),
            listeners.3.local_addr().unwrap().port(),
            datagrams.local_addr().unwrap().port(),
        ];
        // Ends with the process of the test.
        thread::spawn(move || {
            let mut buffer = [0; 16];
            while let Ok((_, from)) = datagrams.recv_from(&mut buffer) {
                let _ = datagrams.send_to(b"heard", from);
            }
        });
        Self {
            folder,
            scratch,
            shared,
            sleeper,
            segment,
            descriptor,
            address,
            ports,
            engine: engine.to_owned(),
            _listeners: listeners,
        }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace").canonicalize().unwrap()
    }

    pub(crate) fn protected(&self) -> PathBuf {
        self.workspace().join(".tau")
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// What a script finds in its environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let name = self.address.as_abstract_name().unwrap();
        [
            ("PATH", "/usr/bin:/bin:/usr/sbin:/sbin".to_owned()),
            ("OUTSIDE", self.outside().display().to_string()),
            ("PROTECTED", self.protected().display().to_string()),
            ("SCRATCH", self.scratch.display().to_string()),
            ("SHARED", self.shared.display().to_string()),
            ("PARENT", std::process::id().to_string()),
            ("SLEEPER", self.sleeper.id().to_string()),
            ("DESCRIPTOR", self.descriptor.as_raw_fd().to_string()),
            ("ABSTRACT", String::from_utf8(name.to_vec()).unwrap()),
            ("PORT", self.ports[0].to_string()),
            ("PORT6", self.ports[1].to_string()),
            ("UDP", self.ports[2].to_string()),
            ("SEGMENT", self.segment.clone()),
            ("ENGINE", self.engine.display().to_string()),
            (
                "MACHINE",
                fs::read_to_string("/proc/sys/kernel/hostname")
                    .unwrap()
                    .trim()
                    .to_owned(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Makes an ordinary user the owner of the workspace, so that what keeps a program of that user
    /// from something is the sandbox and not the owner of a file.
    pub(crate) fn give_away(&self) {
        if is_root() {
            for path in ["", ".tau", ".tau/policy.toml", "link"] {
                let path = self.workspace().join(path);
                lchown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
            }
        }
    }

    /// What a confined program changed all the same.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut outside: Vec<String> = fs::read_dir(self.outside())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        outside.sort();
        if outside != ["listen.sock", "secret.txt"] {
            return Err(format!("outside there is now {outside:?}"));
        }
        for (path, expected) in [
            (self.outside().join("secret.txt"), SECRET),
            (self.scratch.clone(), SECRET),
            (self.shared.clone(), SECRET),
            (
                self.protected().join("policy.toml"),
                "preset = \"strict\"\n",
            ),
        ] {
            let found = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
            if found != expected {
                return Err(format!("{} was changed", path.display()));
            }
        }
        let protected = fs::read_dir(self.protected()).unwrap().count();
        if protected != 1 {
            return Err(format!("{protected} files are in the protected folder"));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.sleeper.kill();
        let _ = self.sleeper.wait();
        let _ = Command::new("ipcrm").args(["-m", &self.segment]).output();
        let _ = fs::remove_file(&self.scratch);
        let _ = fs::remove_file(&self.shared);
    }
}

//! Making a cluster, starting it, ending it.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tau_target_postgres::{Options, Password, PostgresStorage};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use zeroize::Zeroizing;

use crate::certificates;

/// The owner of every cluster of a test.
pub const USER: &str = "tau";
/// The password, which must be seen nowhere.
pub const PASSWORD: &str = "hunter2-of-the-tests";

/// Where Debian has the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with an empty database `tau`.
pub struct Cluster {
    folder: TempDir,
    port: u16,
    server: Mutex<Child>,
    bin: PathBuf,
    owner: Option<Owner>,
    schemas: AtomicUsize,
}

/// Whom the server runs as where the test is root, as which it refuses to run.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// The server of this process, started with the first test that asks.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    ///
    /// Where there is no server, with the command that installs one.
    pub fn start() -> Self {
        let bin = programs();
        let owner = owner();
        let folder = tempfile::Builder::new()
            .prefix("tau-pg-")
            .tempdir()
            .expect("a temporary folder");
        certificates::write(folder.path());
        fs::write(folder.path().join("password"), PASSWORD).expect("a file");
        give(folder.path(), owner);
        let data = folder.path().join("data");
        let mut initdb = owned(&bin.join("initdb"), owner);
        initdb
            .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--auth=scram-sha-256", "--username", USER])
            .arg(format!(
                "--pwfile={}",
                folder.path().join("password").display()
            ))
            .arg("--pgdata")
            .arg(&data);
        let made = initdb.output().expect("initdb runs");
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb failed: {words}");
        let rules = "local all all scram-sha-256\n\
                     hostnossl all plain 127.0.0.1/32 reject\n\
                     host all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), rules).expect("a file");

        let port = free_port();
        let cluster = Self {
            server: Mutex::new(serve(&bin, folder.path(), owner, port)),
            folder,
            port,
            bin,
            owner,
            schemas: AtomicUsize::new(0),
        };
        cluster.wait();
        cluster.sql_in("postgres", &format!("CREATE DATABASE {USER}"));
        cluster
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file beside the cluster: `ca.pem` is whom to believe, `wrong-ca.pem` somebody else.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of the server through `port`, encrypted and verified.
    pub fn address_through(&self, port: u16) -> String {
        let roots = self.file("ca.pem");
        format!(
            "postgres://{USER}@127.0.0.1:{port}/{USER}?sslmode=verify-full&sslrootcert={}",
            roots.display()
        )
    }

    /// The address of the server, encrypted and verified.
    pub fn address(&self) -> String {
        self.address_through(self.port)
    }

    /// A schema that nothing is in yet.
    pub fn new_schema(&self) -> String {
        let number = self.schemas.fetch_add(1, Ordering::Relaxed);
        format!("tau_{}_{number}", std::process::id())
    }

    /// The address of a store that nothing is in yet.
    pub fn new_address(&self) -> String {
        format!("{}&schema={}", self.address(), self.new_schema())
    }

    /// A store that nothing is in yet, over TLS.
    pub fn new_store(&self) -> PostgresStorage {
        self.store(&self.new_address())
    }

    /// The store at `address`.
    pub fn store(&self, address: &str) -> PostgresStorage {
        let options: Options = address.parse().expect("an address");
        PostgresStorage::new(options, password(PASSWORD))
    }

    /// Runs statements as the owner of everything, and gives the first column of the last answer.
    pub fn sql(&self, statements: &str) -> Vec<String> {
        self.sql_in(USER, statements)
    }

    /// The same where it may fail.
    pub fn try_sql(&self, statements: &str) -> Result<Vec<String>, String> {
        let done = self.try_sql_in(USER, statements);
        done.map_err(|error| format!("{error:?}"))
    }

    fn sql_in(&self, database: &str, statements: &str) -> Vec<String> {
        let done = self.try_sql_in(database, statements);
        done.unwrap_or_else(|error| panic!("{statements}: {error:?}"))
    }

    fn try_sql_in(
        &self,
        database: &str,
        statements: &str,
    ) -> Result<Vec<String>, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(USER)
            .password(PASSWORD)
            .dbname(database);
        let statements = statements.to_owned();
        // Tests call this from within runtimes of their own.
        let work = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let (client, connection) = config.connect(NoTls).await?;
                tokio::spawn(connection);
                let answer = client.simple_query(&statements).await?;
                let rows = answer.iter().filter_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => {
                        Some(row.get(0).unwrap_or("NULL").to_owned())
                    }
                    _ => None,
                });
                Ok(rows.collect())
            })
        });
        work.join().expect("the work ends")
    }

    /// Kills every process of the server at once, as a crash of the machine would.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    pub fn crash(&self) {
        let pid = self.postmaster();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let mut server = self.server.lock().expect("the server");
        let input = server.stdin.as_mut().expect("its input");
        input.write_all(b"it is started again\n").expect("a line");
        server.wait().expect("its end");
    }

    /// Starts the server again after a crash.
    pub fn restart(&self) {
        let lock = self.file("data").join("postmaster.pid");
        let begun = Instant::now();
        // The dead one's children go on for a moment, and its successor refuses to start beside them.
        loop {
            let _ = fs::remove_file(&lock);
            let child = serve(&self.bin, self.folder.path(), self.owner, self.port);
            *self.server.lock().expect("the server") = child;
            thread::sleep(Duration::from_millis(100));
            let mut server = self.server.lock().expect("the server");
            if server.try_wait().expect("a status").is_none() {
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not start again"
            );
        }
        self.wait();
    }

    /// The first process of the server.
    fn postmaster(&self) -> rustix::process::Pid {
        let text = fs::read_to_string(self.file("data").join("postmaster.pid"));
        let pid = text
            .expect("a running server")
            .lines()
            .next()
            .and_then(|line| line.parse().ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        pid.expect("a number")
    }

    fn wait(&self) {
        let begun = Instant::now();
        while let Err(error) = self.try_sql_in("postgres", "SELECT 1") {
            let log = fs::read_to_string(self.file("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not answer: {error:?}\n{log}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The user and group that the server runs as.
    pub fn owner(&self) -> (u32, u32) {
        match self.owner {
            Some(Owner { uid, gid }) => (uid, gid),
            None => (
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            ),
        }
    }

    /// What the server wrote down.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The shell around the server ends it with the end of its input.
        let mut server = self
            .server
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(server.stdin.take());
        let _ = server.wait();
    }
}

/// A password that is this one.
pub(crate) fn password(value: &str) -> Password {
    let value = Zeroizing::new(value.to_owned());
    Password::new(move || Ok(Some(value.clone())))
}

/// The newest programs there are.
fn programs() -> PathBuf {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            let bin = entry.path().join("bin");
            bin.join("initdb").exists().then_some((version, bin))
        })
        .collect();
    found.sort();
    if let Some((_, bin)) = found.pop() {
        return bin;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    on_path.unwrap_or_else(|| {
        panic!("no PostgreSQL here: sudo apt-get install -y postgresql (cargo xtask setup does so)")
    })
}

/// Nobody in particular, where the test is root; itself otherwise.
fn owner() -> Option<Owner> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = ["postgres", "nobody"].iter().find_map(|wanted| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        Some(Owner {
            uid,
            gid: fields.next()?.parse().ok()?,
        })
    });
    Some(user.expect("a user to run the server as, such as postgres"))
}

/// `program` as the owner.
fn owned(program: &Path, owner: Option<Owner>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    command
}

fn give(folder: &Path, owner: Option<Owner>) {
    use std::os::unix::fs::{PermissionsExt, chown};
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its rights");
    };
    mode(folder, 0o755);
    mode(&folder.join("server.key"), 0o600);
    let Some(Owner { uid, gid }) = owner else {
        return;
    };
    let files = fs::read_dir(folder).expect("the folder").flatten();
    for path in files.map(|file| file.path()).chain([folder.to_owned()]) {
        chown(path, Some(uid), Some(gid)).expect("its owner");
    }
}

/// The server within a shell that ends it when this process ends: its input is a pipe from here.
fn serve(bin: &Path, folder: &Path, owner: Option<Owner>, port: u16) -> Child {
    // A line on its input means that the server was killed and the folder is still needed.
    const SCRIPT: &str = "exec 3<&0; \"$@\" >>\"$FOLDER/log\" 2>&1 </dev/null 3<&- & server=$!; \
                          (read -r line <&3 && exit; kill -QUIT $server 2>/dev/null; \
                          while kill -0 $server 2>/dev/null; do sleep 0.05; done; \
                          rm -rf \"$FOLDER\") & \
                          exec 3<&- </dev/null; wait $server";
    let file = |name: &str| folder.join(name).display().to_string();
    let mut shell = owned(Path::new("/bin/sh"), owner);
    shell
        .args(["-c", SCRIPT, "sh"])
        .arg(bin.join("postgres"))
        .args(["-D", &file("data"), "-k", &file(""), "-h", "127.0.0.1"])
        .args(["-p", &port.to_string()]);
    for setting in [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("server.crt")),
        format!("ssl_key_file={}", file("server.key")),
        // What is killed here are processes, never the machine: its memory keeps what was written.
        "fsync=off".to_owned(),
        "shared_buffers=16MB".to_owned(),
        "max_connections=80".to_owned(),
        "deadlock_timeout=100ms".to_owned(),
    ] {
        shell.args(["-c", &setting]);
    }
    shell
        .env("FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    shell.spawn().expect("a shell")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

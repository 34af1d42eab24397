//! The network of one program: a proxy of Tau's beside it, and the way there from within.
//!
//! The program is started by Tau's own program, which runs inside as nothing but a port that leads to
//! the proxy's socket; see `docs/design/egress-proxy.md`.

use std::{
    env, fs, io,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tau_core::{egress::Grant, policy::programs::Network as Granted};
use tau_target_native::{
    egress::{Egress, SystemResolver},
    proxy::{Decision, Proxy, SOCKET, Setup},
};
use tau_target_process::Job;

use crate::{
    commands::inside,
    credentials::{Keys, Vault},
};

/// What folders of proxies begin with; the id of the process that made one follows.
const PREFIX: &str = "tau-network-";

/// A proxy that runs as long as this lives.
#[derive(Debug)]
pub(super) struct Network {
    _proxy: Proxy,
}

impl Network {
    /// Opens what `granted` says for `job`, which is led there.
    pub(super) fn open(
        granted: &Granted,
        vault: &Arc<Vault>,
        told: impl Fn(String) + Send + Sync + 'static,
        job: &mut Job,
    ) -> io::Result<Self> {
        sweep();
        let known = Arc::clone(vault);
        let proxy = Proxy::start(Setup {
            folder: folder(),
            grant: Grant::new(granted.hosts.clone()),
            limits: granted.http.clone(),
            egress: Egress::new(SystemResolver, Arc::new(Keys(Arc::clone(vault)))),
            known: Arc::new(move || known.redactor()),
            told: Arc::new(move |decision: Decision| told(decision.to_string())),
        })?;
        let program = env::current_exe()?;
        let socket = proxy.folder().join(SOCKET);
        let confinement = &mut job.confinement;
        confinement.readable.push(proxy.folder().to_owned());
        confinement.readable.push(program.clone());
        let mut words = vec![program.into(), inside::NAME.into(), "--proxy".into()];
        words.extend([socket.into(), "--".into()]);
        words.append(&mut job.program);
        job.program = words;
        Ok(Self { _proxy: proxy })
    }
}

/// A folder nobody has. Short: the path of a socket has at most 107 bytes.
fn folder() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("{PREFIX}{}-{count}", process::id()))
}

/// Removes what processes left that were killed.
fn sweep() {
    for entry in fs::read_dir(env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let is_gone = |process: u32| {
            // Where there is no /proc nobody knows, and the folder stays.
            fs::exists("/proc/self").is_ok_and(|is| is)
                && fs::exists(format!("/proc/{process}")).is_ok_and(|is| !is)
        };
        if process.is_some_and(is_gone) {
            // Another user's cannot be, and is not ours to.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

//! What holds: what the engine says of itself, and what a program in a container sees.

use std::{
    io::{self, Read},
    path::Path,
};

use tau_target_process::{
    Confinement, Exit, Input, Job, Limits, Output, Running, Sandbox, StartError,
};

use crate::Docker;

/// Asked from within; each line is a name and what was seen.
const QUESTIONS: &str = r#"
while read -r name value; do case $name in
    CapEff:|CapBnd:|NoNewPrivs:|Seccomp:|Uid:) echo "$name $value";;
esac; done < /proc/self/status
( : > /tau-status ) 2>/dev/null && echo "root: writable" || echo "root: read-only"
( : > ./.tau-status ) 2>/dev/null && echo "workspace: writable" || echo "workspace: read-only"
rm -f ./.tau-status 2>/dev/null
while read -r name _; do case $name in *:) echo "interface: $name";; esac; done < /proc/net/dev
"#;

/// What an engine is, and what holds in its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where it listens.
    pub address: String,
    /// Its version, that of its API, its system.
    pub engine: String,
    /// One by one.
    pub facts: Vec<Fact>,
}

/// One thing that should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What, in a sentence's words.
    pub what: &'static str,
    /// Whether it does.
    pub holds: bool,
    /// What was seen.
    pub seen: String,
}

fn fact(what: &'static str, holds: bool, seen: impl Into<String>) -> Fact {
    let seen = seen.into();
    Fact { what, holds, seen }
}

/// Asks the engine, and a program in a container of it.
pub(crate) async fn status(docker: &Docker, workspace: &Path) -> Result<Status, StartError> {
    let info = &docker.engine.info;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let is = |value: Option<bool>| value == Some(true);
    let yes = |value: Option<bool>| if is(value) { "yes" } else { "no" };
    let version = info.cgroup_version.map(|version| version.to_string());
    let version = version.unwrap_or_else(|| "1".into());
    let rootless = docker.engine.is_rootless();
    let mut facts = vec![
        fact(
            "memory is limited",
            is(info.memory_limit),
            format!("control groups version {version}"),
        ),
        fact("swap is limited", is(info.swap_limit), yes(info.swap_limit)),
        fact(
            "processes are limited",
            is(info.pids_limit),
            yes(info.pids_limit),
        ),
        fact(
            "processor time is limited",
            is(info.cpu_cfs_quota),
            format!(
                "{} of {} thousandths",
                docker.milli_cpus, docker.engine.milli_cpus
            ),
        ),
        fact(
            "the engine filters system calls",
            docker.engine.has_option("seccomp"),
            "by a profile of Tau's",
        ),
        fact(
            "the engine's root is not the machine's",
            rootless || docker.engine.has_option("userns"),
            match (rootless, docker.engine.has_option("userns")) {
                (true, _) => "the engine runs without root",
                (_, true) => "users are mapped",
                _ => "an escape to root would be root",
            },
        ),
    ];
    facts.extend(seen(&ask(docker, workspace).await?));
    Ok(Status {
        address: docker.engine.address.to_string(),
        engine: format!(
            "{} (API {}), {}, Linux {}",
            text(&info.server_version),
            docker.engine.api,
            text(&info.operating_system),
            text(&info.kernel_version),
        ),
        facts,
    })
}

/// What the program says.
async fn ask(docker: &Docker, workspace: &Path) -> Result<String, StartError> {
    let (mut reader, writer) = io::pipe()?;
    let job = Job {
        program: ["/bin/sh", "-c", QUESTIONS].map(Into::into).into(),
        confinement: Confinement {
            workspace: workspace.to_owned(),
            read_only: Vec::new(),
            hidden: Vec::new(),
            readable: Vec::new(),
            environment: Vec::new(),
            limits: Limits::default(),
        },
        input: Input::Null,
        errors: Output::Pipe(writer.try_clone()?),
        output: Output::Pipe(writer),
    };
    let mut container = docker.start(job).await?;
    // A few hundred bytes: they fit into the pipe.
    let exit = container.wait().await?;
    container.end().await;
    let mut said = String::new();
    reader.read_to_string(&mut said)?;
    match exit {
        Exit::Code(0) => Ok(said),
        other => Err(StartError::Unavailable {
            reason: format!(
                "a container could not be asked, it ended with {}: {}",
                other.code(),
                said.trim()
            ),
            hint: "use an image with a /bin/sh".into(),
        }),
    }
}

/// Reads the answers.
fn seen(said: &str) -> Vec<Fact> {
    let of = |name: &str| -> Vec<&str> {
        said.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .collect()
    };
    let first = |name: &str| of(name).first().copied().unwrap_or("unknown").to_owned();
    let is_zero = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b'0');
    let (effective, bound) = (first("CapEff"), first("CapBnd"));
    let user = first("Uid")
        .split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned();
    let interfaces = of("interface");
    // An unknown user is as bad as root.
    let is_other = user.parse::<u32>().is_ok_and(|user| user != 0);
    vec![
        fact(
            "programs have no capabilities",
            is_zero(&effective) && is_zero(&bound),
            effective,
        ),
        fact(
            "programs gain no privileges",
            first("NoNewPrivs") == "1",
            first("NoNewPrivs"),
        ),
        fact(
            "programs are filtered",
            first("Seccomp") == "2",
            first("Seccomp"),
        ),
        fact("programs are not root", is_other, format!("user {user}")),
        fact(
            "the system is read-only",
            first("root") == "read-only",
            first("root"),
        ),
        fact(
            "the workspace can be written",
            first("workspace") == "writable",
            first("workspace"),
        ),
        fact(
            "there is no network",
            interfaces == ["lo:"],
            interfaces.join(" "),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Uid: 1000\t1000\t1000\t1000\nCapEff: 0000000000000000\nCapBnd: 0000000000000000\n\
                        NoNewPrivs: 1\nSeccomp: 2\nroot: read-only\nworkspace: writable\ninterface: lo:\n";

    fn failing(said: &str) -> Vec<&'static str> {
        let facts = seen(said).into_iter();
        facts
            .filter(|fact| !fact.holds)
            .map(|fact| fact.what)
            .collect()
    }

    #[test]
    fn what_does_not_hold_is_named() {
        assert!(failing(SAID).is_empty());
        let root = SAID.replace("Uid: 1000", "Uid: 0");
        assert_eq!(failing(&root), ["programs are not root"]);
        let more = format!("{SAID}interface: eth0:\n");
        assert_eq!(failing(&more), ["there is no network"]);
        assert_eq!(failing("").len(), 7);
    }
}

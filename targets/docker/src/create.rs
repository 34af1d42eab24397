//! What the engine is told about a container.

use std::{collections::HashMap, io};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ResourcesUlimits,
};
use tau_target_process::{Confinement, Job, Limits};

use crate::{Docker, environment, mounts, owner::LABEL, profile::profile};

/// A container to be made, and what is then written to its program.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) body: ContainerCreateBody,
    /// Secret.
    pub(crate) preface: Vec<u8>,
}

/// Plans the container for `job`, or says why the job cannot be confined.
pub(crate) fn plan(docker: &Docker, job: &Job, mark: &str) -> io::Result<Plan> {
    let confinement = &job.confinement;
    mounts::check(confinement, &docker.engine.address)?;
    let wrapped = environment::wrap(
        &job.program,
        &confinement.environment,
        &docker.image.variables,
        mark,
    )?;
    let workspace = confinement.workspace.to_string_lossy();
    let user = mounts::User::of(
        &confinement.workspace,
        docker.engine.is_rootless(),
        docker.as_root,
    )?;
    let body = ContainerCreateBody {
        image: Some(docker.image.name().to_owned()),
        // The image's own entry point would come first otherwise.
        entrypoint: Some(Vec::new()),
        cmd: Some(wrapped.command),
        user: Some(user.to_string()),
        working_dir: Some(mounts::within(&workspace)),
        hostname: Some("sandbox".into()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        tty: Some(false),
        // With the network mode below alone an engine would start itself once more for each container,
        // only to hand over an empty network: half of the time a start takes.
        network_disabled: Some(true),
        // What the image would have run beside the program, over and over.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..Default::default()
        }),
        labels: Some(HashMap::from([(LABEL.into(), docker.owner.label()?)])),
        host_config: Some(host(docker, confinement, user)?),
        ..Default::default()
    };
    Ok(Plan {
        body,
        preface: wrapped.preface,
    })
}

fn host(docker: &Docker, confinement: &Confinement, user: mounts::User) -> io::Result<HostConfig> {
    let limits = &confinement.limits;
    let memory = signed(limits.memory_bytes);
    let binds = mounts::binds(confinement, docker.owner.empty())?;
    let scratch = mounts::scratch(confinement, &docker.image.volumes, &binds, user);
    Ok(HostConfig {
        memory: Some(memory),
        // Memory and swap together: no swap.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(docker.milli_cpus) * 1_000_000),
        pids_limit: Some(signed(limits.processes)),
        ulimits: Some(ulimits(limits)),
        shm_size: Some(signed(limits.scratch_bytes)),
        // A first process that reaps: the program is then no different from any other.
        init: Some(true),
        readonly_rootfs: Some(true),
        mounts: Some(binds),
        tmpfs: Some(scratch.into_iter().collect()),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec![
            "no-new-privileges".into(),
            format!("seccomp={}", profile()),
        ]),
        privileged: Some(false),
        network_mode: Some("none".into()),
        ipc_mode: Some("private".into()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        // What is printed goes to whoever asked for it, and to no file.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".into()),
            config: None,
        }),
        // Removed by us once its exit code was asked for.
        auto_remove: Some(false),
        ..Default::default()
    })
}

fn ulimits(limits: &Limits) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    vec![
        limit("fsize", signed(limits.file_bytes)),
        limit("cpu", signed(limits.cpu_seconds)),
        limit("core", 0),
        limit("nofile", 4_096),
        // Unlimited queues and locked pages are memory that nobody counts.
        limit("msgqueue", 819_200),
        limit("memlock", 8_388_608),
    ]
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whether a warning of the engine's says that it leaves out what it was asked for.
pub(crate) fn is_loss(warning: &str) -> bool {
    let warning = warning.to_lowercase();
    // Without accounting for it, swap is bounded by the machine's alone; `status` says so.
    let is_swap = warning.contains("swap");
    !is_swap
        && ["discard", "not support", "ignored"]
            .iter()
            .any(|word| warning.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_the_engine_leaves_out_is_a_loss() {
        // As moby's daemon words them.
        for warning in [
            "Your kernel does not support memory limit capabilities or the cgroup is not mounted. \
             Limitation discarded.",
            "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. \
             PIDs limit discarded.",
        ] {
            assert!(is_loss(warning), "{warning}");
        }
        for warning in [
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. \
             Memory limited without swap.",
            "The requested image's platform (linux/arm64) does not match the detected host platform",
        ] {
            assert!(!is_loss(warning), "{warning}");
        }
    }
}

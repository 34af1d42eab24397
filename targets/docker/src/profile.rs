//! The system calls that a program in a container gets.
//!
//! A list of what is let through, in the place of the engine's own: what engines let through
//! differs by their age, and older ones let through tracing, `io_uring` and sockets to the host of
//! a virtual machine. What is not listed fails with `EPERM`; calls whose arguments a filter cannot
//! read, with `ENOSYS`, so that libraries take the older ones. Programs of another architecture
//! than the machine's own are ended.

use serde_json::{Value, json};

/// Let through whatever their arguments. Names that a kernel does not know are passed over.
const FREE: &str = "\
    accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chown \
    clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range dup dup2 \
    dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 \
    execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchown fchownat \
    fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync \
    ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat get_mempolicy \
    get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer \
    getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit \
    getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch \
    inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents \
    io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset \
    landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr \
    lseek lsetxattr lstat madvise map_shadow_stack mbind membarrier memfd_create mincore mlock \
    mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend \
    mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep \
    newfstatat pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll \
    ppoll prctl pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead \
    readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename renameat \
    renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo \
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler \
    sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler \
    sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto \
    set_mempolicy set_robust_list set_tid_address setfsgid setfsuid setgid setgroups setitimer \
    setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid \
    setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat \
    statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create \
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime \
    timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork \
    vmsplice wait4 waitid write writev";

/// Said not to exist.
const ABSENT: &[&str] = &["clone3", "fchmodat2", "openat2"];

/// Calls that set the mode of a file, by which argument it is.
const MODES: &[(u32, &[&str])] = &[
    (1, &["chmod", "creat", "fchmod", "mkdir", "mknod"]),
    (2, &["fchmodat", "mkdirat", "mknodat", "open"]),
    (3, &["openat"]),
];
/// Set-user-identifier and set-group-identifier, which would make others the owner of a program.
const BECOMES_ITS_OWNER: u64 = 0o6000;

/// Every flag of `clone` that makes a namespace.
const NAMESPACES: u64 = 0x7e02_0000;

/// Families of sockets that programs have a use for: unix, IPv4, IPv6 and netlink.
const FAMILIES: &[u64] = &[1, 2, 10, 16];

/// Ways of running that programs ask for: Linux's own, an older one's, without its new versions,
/// and the question which it is.
const PERSONALITIES: &[u64] = &[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The profile, as engines take it.
pub(crate) fn profile() -> String {
    let free: Vec<&str> = FREE.split_whitespace().collect();
    let mut rules = vec![
        json!({"names": free, "action": "SCMP_ACT_ALLOW"}),
        json!({"names": ABSENT, "action": "SCMP_ACT_ERRNO", "errnoRet": 38}),
        without(&["clone"], 0, NAMESPACES),
    ];
    for (argument, names) in MODES {
        rules.push(without(names, *argument, BECOMES_ITS_OWNER));
    }
    // Rules of one call are alternatives.
    for family in FAMILIES {
        rules.push(equal("socket", *family));
    }
    for personality in PERSONALITIES {
        rules.push(equal("personality", *personality));
    }
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}).to_string()
}

/// Lets `names` through if none of `bits` is set in the argument.
fn without(names: &[&str], argument: u32, bits: u64) -> Value {
    json!({
        "names": names,
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": argument, "value": bits, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    })
}

/// Lets `name` through with this first argument.
fn equal(name: &str, value: u64) -> Value {
    json!({
        "names": [name],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_let_through_twice() {
        let mut names: Vec<&str> = FREE.split_whitespace().collect();
        names.extend(ABSENT);
        names.extend(MODES.iter().flat_map(|(_, names)| *names));
        names.extend(["clone", "personality", "socket"]);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_has_led_out_of_containers_is_not_in_the_list() {
        for name in [
            "bpf",
            "chroot",
            "io_uring_setup",
            "keyctl",
            "mount",
            "open_by_handle_at",
            "perf_event_open",
            "process_vm_readv",
            "ptrace",
            "setns",
            "unshare",
            "userfaultfd",
        ] {
            assert!(!FREE.split_whitespace().any(|free| free == name), "{name}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        let profile: Value = serde_json::from_str(&profile()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    }
}

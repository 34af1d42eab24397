//! The system calls a confined program does not get.
//!
//! A list of what is refused, not of what is let through: programs of all kinds run here, and the
//! namespaces hold without it. It closes what has been a way out of namespaces before: kernel
//! modules, tracing, keyrings, BPF, io_uring, new namespaces, mounts. A refused call fails with
//! `EPERM`; calls whose arguments a filter cannot read, with `ENOSYS`.

use std::{collections::BTreeMap, io};

use seccompiler::{
    BpfProgram, SeccompAction,
    SeccompCmpArgLen::{self, Dword, Qword},
    SeccompCmpOp::{self, Eq, MaskedEq, Ne},
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused whatever their arguments.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Namespaces that `clone` can make: any of these flags.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Families of sockets that programs have a use for here: unix, IPv4, IPv6 and netlink (route).
const FAMILIES: &[i32] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Calls that set the mode of a file, and which argument it is.
const MODES: &[(i64, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (libc::SYS_mkdirat, 2),
    (libc::SYS_mknodat, 2),
    (libc::SYS_openat, 3),
];
/// Calls of some machines only.
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(i64, u8)] = &[
    (libc::SYS_chmod, 1),
    (libc::SYS_creat, 1),
    (libc::SYS_mkdir, 1),
    (libc::SYS_mknod, 1),
    (libc::SYS_open, 2),
];
/// Calls of some machines only.
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[(i64, u8)] = &[];

/// Said not to exist, so that the C library takes older ones whose arguments can be read:
/// `clone3`, `openat2` and `fchmodat2` (452 on every machine).
const ABSENT: &[i64] = &[libc::SYS_clone3, libc::SYS_openat2, 452];

/// Calls of some machines only.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_modify_ldt,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
/// Calls of some machines only.
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// The filters, each as bwrap reads it: one `struct sock_filter` after the other.
pub(crate) fn programs() -> io::Result<[Vec<u8>; 2]> {
    let refused = refused()
        .and_then(|rules| compile(rules, libc::EPERM))
        .map_err(io::Error::other)?;
    let absent = ABSENT.iter().map(|call| (*call, Vec::new()));
    let absent = compile(absent.collect(), libc::ENOSYS).map_err(io::Error::other)?;
    Ok([bytes(&refused), bytes(&absent)])
}

fn bytes(program: &[sock_filter]) -> Vec<u8> {
    let step = |step: &sock_filter| {
        let [code_low, code_high] = step.code.to_ne_bytes();
        let [a, b, c, d] = step.k.to_ne_bytes();
        [code_low, code_high, step.jt, step.jf, a, b, c, d]
    };
    program.iter().flat_map(step).collect()
}

fn refused() -> Result<Rules, seccompiler::Error> {
    let always = REFUSED.iter().chain(REFUSED_HERE);
    let mut rules: Rules = always.map(|call| (*call, Vec::new())).collect();
    // One rule a flag: a mask is compared as a whole.
    let mut namespaces = Vec::new();
    for bit in (0..64)
        .map(|bit| 1 << bit)
        .filter(|bit| NAMESPACES & bit != 0)
    {
        namespaces.push(rule([condition(0, Qword, MaskedEq(bit), bit)?])?);
    }
    rules.insert(libc::SYS_clone, namespaces);
    // Typing into a terminal, and selecting on it (CVE-2017-5226, CVE-2023-28100).
    let mut terminal = Vec::new();
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        terminal.push(rule([condition(1, Dword, Eq, request)?])?);
    }
    rules.insert(libc::SYS_ioctl, terminal);
    let mut others = Vec::new();
    for family in FAMILIES {
        others.push(condition(0, Dword, Ne, u64::from(family.unsigned_abs()))?);
    }
    rules.insert(libc::SYS_socket, vec![rule(others)?]);
    // What runs as root outside would leave programs behind that make others root.
    for (call, mode) in MODES.iter().chain(MODES_HERE) {
        let mut set = Vec::new();
        for bit in [libc::S_ISUID, libc::S_ISGID].map(u64::from) {
            set.push(rule([condition(*mode, Dword, MaskedEq(bit), bit)?])?);
        }
        rules.insert(*call, set);
    }
    Ok(rules)
}

fn rule(conditions: impl Into<Vec<SeccompCondition>>) -> Result<SeccompRule, seccompiler::Error> {
    Ok(SeccompRule::new(conditions.into())?)
}

fn condition(
    argument: u8,
    length: SeccompCmpArgLen,
    compare: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::Error> {
    Ok(SeccompCondition::new(argument, length, compare, value)?)
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::Error> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_a_pipe_and_into_the_kernel() {
        for bytes in programs().unwrap() {
            assert!(!bytes.is_empty() && bytes.len().is_multiple_of(8));
            assert!(bytes.len() < 32_768, "{}", bytes.len());
        }
    }
}

import ctypes, os, platform, socket, sys, time

NUMBERS = {
    "x86_64": dict(
        ptrace=101, syslog=103, mount=165, umount2=166, sethostname=170, init_module=175,
        io_uring_setup=425, keyctl=250, unshare=272, perf_event_open=298, name_to_handle_at=303,
        open_by_handle_at=304, setns=308, process_vm_readv=310, bpf=321, userfaultfd=323,
        pidfd_open=434, pidfd_getfd=438, clone=56, clone3=435, chroot=161, open_tree=428, fsopen=430,
        mlock=149, memfd_create=319, fanotify_init=300, acct=163, swapoff=168, pivot_root=155,
        renameat2=316,
    ),
    "aarch64": dict(
        ptrace=117, syslog=116, mount=40, umount2=39, sethostname=161, init_module=105,
        io_uring_setup=425, keyctl=219, unshare=97, perf_event_open=241, name_to_handle_at=264,
        open_by_handle_at=265, setns=268, process_vm_readv=270, bpf=280, userfaultfd=282,
        pidfd_open=434, pidfd_getfd=438, clone=220, clone3=435, chroot=51, open_tree=428, fsopen=430,
        mlock=228, memfd_create=279, fanotify_init=262, acct=89, swapoff=225, pivot_root=41,
        renameat2=276,
    ),
}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(name, *arguments):
    """The result of a system call, or minus the error number."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return result if result >= 0 else -ctypes.get_errno()


def escaped(did):
    if did:
        print("ESCAPED", flush=True)


env = os.environ

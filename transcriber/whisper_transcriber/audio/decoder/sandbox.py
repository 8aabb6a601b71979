"""What is taken away from the decoder: resources first, then every system call that decoding does not need.

Two steps, because loading FFmpeg needs files and the dynamic loader, and parsing what a stranger sent does not.
"""

from __future__ import annotations

import errno
import mmap
import resource
import sys
from typing import Any, Final

MEMORY: Final = 2 << 30  # bytes of address space

# All that decoding asks of the kernel: the descriptors that are open, memory, clocks, an end. Not among it: opening or
# looking at paths, sockets, threads and processes, signals to others, changing limits.
NEEDED: Final = """
    read readv pread64 write writev lseek fstat close
    brk munmap mremap madvise futex sched_yield sched_getaffinity sysinfo
    rt_sigprocmask rt_sigreturn restart_syscall getpid gettid
    clock_gettime clock_getres gettimeofday getrandom exit exit_group
"""

# No library tries these on the off chance, so whoever does is not decoding: the process ends there. Everything else
# that is not needed fails with EPERM, for C libraries do ask for things (a locale, the number of processors) that
# they can do without.
DEADLY: Final = """
    socket socketpair connect bind listen sendto sendmsg execve execveat fork vfork ptrace process_vm_readv
    process_vm_writev pidfd_open pidfd_getfd kill tkill mount umount2 pivot_root chroot unshare setns init_module
    finit_module kexec_load bpf perf_event_open userfaultfd io_uring_setup keyctl add_key memfd_create setuid setgid
"""


def limit(cpu_seconds: int) -> None:
    """Bound memory, processor time and written files. Descriptors other than 0, 1 and 2 were never passed on."""
    for kind, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        # The hard limit of processor time kills without a name; the soft one comes first and says what it was.
        hard = value + 5 if kind == resource.RLIMIT_CPU else value
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            value, hard = min(value, most), min(hard, most)
        resource.setrlimit(kind, (value, hard))


def confine() -> str | None:
    """Give up everything that parsing needs not, for good. Returns why there is no seccomp filter, where there is none.

    No new descriptor and, but for root, no new process: these hold on every system. The filter comes on top.
    """
    reason = None
    try:
        program = _filter()
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        # No Linux, no libseccomp, or one too old. The finder of libraries starts a process, so limits come after.
        program, reason = None, f"{type(error).__name__}: {error}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if program is not None:
        try:
            program.load()  # sets no_new_privs too, so that it needs no privilege
        except OSError as error:
            reason = f"The kernel takes no filter: {error}"
    return reason


def _filter() -> Any:
    """The filter: NEEDED is allowed, with no memory that can be executed; DEADLY kills; the rest is EPERM."""
    if sys.platform != "linux":
        raise RuntimeError(f"{sys.platform} has no seccomp")
    import pyseccomp as seccomp

    program = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    program.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)  # system calls of another architecture
    program.set_attr(seccomp.Attr.CTL_TSYNC, 1)
    for name in NEEDED.split():
        program.add_rule(seccomp.ALLOW, name)
    for name in ("mmap", "mprotect"):
        program.add_rule(seccomp.ALLOW, name, seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0))
    for name in DEADLY.split():
        program.add_rule(seccomp.KILL_PROCESS, name)
    return program

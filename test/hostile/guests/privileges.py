import platform
import resource
import socket
import subprocess

NUMBERS = {
    "bpf": (321, 280), "perf_event_open": (298, 241), "kexec_load": (246, 104), "init_module": (175, 105),
    "keyctl": (250, 219), "userfaultfd": (323, 282), "open_by_handle_at": (304, 265), "pivot_root": (155, 41),
    "process_vm_readv": (310, 270), "io_uring_setup": (425, 425), "add_key": (248, 217),
}
COLUMN = 0 if platform.machine() == "x86_64" else 1
NEW_NAMESPACE, NEW_USER, NEW_NETWORK = 0x20000, 0x10000000, 0x40000000


def system_call(name):
    return call("syscall", NUMBERS[name][COLUMN], 1, 0, 0, 0, 0, 0)


def mount():
    return call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None)


def become_root_by_file():
    """A program of root's with the bit that would lend its rights, where root's files can be made at all."""
    path = "/tmp/root-shell"
    with open("/bin/sh", "rb") as shell, open(path, "wb") as copy:
        copy.write(shell.read())
    attempt("chown to root", os.chown, path, 0, 0)
    os.chmod(path, 0o4755)
    return subprocess.check_output([path, "-p", "-c", "id -u"], text=True).strip()


def open_a_disk():
    """gVisor lets anybody make the node, behind which is no device."""
    os.mknod("/tmp/disk", 0o060666, os.makedev(8, 0))
    open("/tmp/disk", "rb").read(1)


def set_id_files():
    found = []
    for directory, _, files in os.walk("/"):
        if directory.startswith(("/proc", "/sys")):
            continue
        for name in files:
            path = os.path.join(directory, name)
            if os.lstat(path).st_mode & 0o6000 and not os.path.islink(path):
                found.append(path)
    return found


def in_a_child(*acts):
    """Whether the acts work one after the other; what they change is the child's alone."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for act in acts:
                act()
            told = "done"
        except OSError as error:
            told = errno.errorcode.get(error.errno, "?")
        os.write(theirs, told.encode())
        os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    return os.read(ours, 100).decode()


def status(field):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return line.split(":")[1].strip()


saw["ids"] = [os.getresuid(), os.getresgid(), os.getgroups()]
for field in ("CapInh", "CapPrm", "CapEff", "CapBnd"):
    saw[field] = status(field)
for name in ("NOFILE", "CORE", "NPROC"):
    saw[name] = resource.getrlimit(getattr(resource, "RLIMIT_" + name))
attempt("setuid", os.setuid, 0)
attempt("setgid", os.setgid, 0)
attempt("setgroups", os.setgroups, [0])
attempt("chroot", os.chroot, "/tmp")
attempt("mount", mount)
attempt("remount the root", lambda: call("mount", None, b"/", None, 0x20, None))
attempt("umount", lambda: call("umount2", b"/proc", 0))
attempt("a disk of the host", open_a_disk)
attempt("ptrace of PID 1", lambda: call("ptrace", 16, os.getppid() if os.getpid() == 1 else 1, None, None))
attempt("sethostname", socket.sethostname, "evil")
attempt("settimeofday", lambda: call("settimeofday", ctypes.create_string_buffer(16), None))
attempt("reboot", lambda: call("reboot", 0x01234567))
attempt("swapon", lambda: call("swapon", b"/tmp/swap", 0))
attempt("more descriptors", resource.setrlimit, resource.RLIMIT_NOFILE, (4096, 4096))
attempt("more processes", resource.setrlimit, resource.RLIMIT_NPROC, (4096, 4096))
attempt("mounts of its own", in_a_child, lambda: call("unshare", NEW_NAMESPACE))
attempt("a network of its own", in_a_child, lambda: call("unshare", NEW_NETWORK))
attempt("users of its own, then a writable root", in_a_child,
        lambda: call("unshare", NEW_USER | NEW_NAMESPACE),
        lambda: call("mount", None, b"/", None, 0x20, None),
        lambda: open("/etc/evil", "w"))
for name in NUMBERS:
    attempt(name, system_call, name)
attempt("set-id files", set_id_files)
attempt("a set-id file of its own", become_root_by_file)
tell()

def read(path):
    with open(path, "rb") as file:
        file.read(4096)


def write(path):
    with open(path, "wb", buffering=0) as file:
        file.write(b"1")


def names(path):
    return sorted(os.listdir(path))


for path in ("/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/kmsg", "/proc/iomem",
             "/proc/self/pagemap", "/sys/firmware/acpi", "/sys/kernel/debug", "/dev/mem",
             "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/dev/net/tun",
             "/run/docker.sock", "/run/containerd", "/etc/shadow"):
    attempt("read " + path, read, path)
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern",
             "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
             "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
             "/sys/kernel/uevent_helper", "/dev/kmsg"):
    attempt("write " + path, write, path)
attempt("processes", lambda: len([name for name in os.listdir("/proc") if name.isdigit()]))
attempt("kernel", lambda: os.uname().version)
attempt("node", lambda: os.uname().nodename)
attempt("descriptors", names, "/proc/self/fd")
attempt("mounts", lambda: sorted(line.split()[1] for line in open("/proc/self/mounts")))
attempt("environment", lambda: sorted(os.environ))
attempt("command lines", lambda: open("/proc/1/cmdline").read().split("\0")[0])
attempt("links", names, "/sys/class/net")
tell()

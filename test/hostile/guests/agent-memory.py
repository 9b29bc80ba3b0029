import re


def overwrite():
    for line in open("/proc/1/maps"):
        found = re.match(r"([0-9a-f]+)-[0-9a-f]+ rw", line)
        if found:
            with open("/proc/1/mem", "r+b", 0) as memory:
                memory.seek(int(found[1], 16))
                memory.write(b"evil" * 1024)


def write_to_it():
    """The same from within the system call that is made for it."""
    here = ctypes.create_string_buffer(b"evil")
    pieces = (ctypes.c_void_p * 2)(ctypes.addressof(here), 4)
    return call("process_vm_writev", 1, pieces, ctypes.c_long(1), pieces, ctypes.c_long(1), ctypes.c_long(0))


attempt("memory", overwrite)
attempt("ptrace", lambda: call("ptrace", 16, 1, None, None))
attempt("process_vm_writev", write_to_it)
attempt("priority", os.setpriority, os.PRIO_PROCESS, 1, 19)
tell()

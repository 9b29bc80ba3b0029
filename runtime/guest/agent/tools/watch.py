"""Tells of changes below a directory as lines of JSON, by inotify."""

import ctypes
import errno
import json
import os
import struct
import sys

ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = (
    0x4, 0x8, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800,
)
OVERFLOW, IGNORED, IS_DIRECTORY = 0x4000, 0x8000, 0x40000000
MASK = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
KINDS = ((CREATE, "created"), (CLOSE_WRITE, "written"), (ATTRIB, "changed"), (DELETE, "removed"),
         (MOVED_FROM, "moved_from"), (MOVED_TO, "moved_to"))
MAX_DIRECTORIES = 8192

libc = ctypes.CDLL(None, use_errno=True)
root = os.fsencode(os.path.expanduser(sys.argv[1]))
is_recursive = sys.argv[2] == "recursive"
queue = libc.inotify_init1(0)
directories = {}


def tell(kind, path=None, is_directory=False):
    line = {"type": kind}
    if path is not None:
        line["path"] = os.fsdecode(path)
        line["isDirectory"] = is_directory
    print(json.dumps(line), flush=True)


def watch(below):
    if len(directories) >= MAX_DIRECTORIES:
        sys.exit("more than %d directories" % MAX_DIRECTORIES)
    path = os.path.join(root, below) if below else root
    # Linux asks for this right itself; gVisor does not.
    may_read = os.access(path, os.R_OK)
    watched = libc.inotify_add_watch(queue, path, MASK) if may_read else -1
    if watched < 0:
        error = ctypes.get_errno() if may_read else errno.EACCES
        if not below:
            sys.exit(os.strerror(error).lower())
        return
    directories[watched] = below
    if is_recursive:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    watch(os.path.join(below, os.fsencode(entry.name)))


if not os.path.isdir(root):
    sys.exit("no such directory" if not os.path.lexists(root) else "not a directory")
watch(b"")
tell("watching")
while True:
    events = os.read(queue, 65536)
    at = 0
    while at < len(events):
        watched, mask, _, length = struct.unpack_from("iIII", events, at)
        name = events[at + 16 : at + 16 + length].rstrip(b"\0")
        at += 16 + length
        if mask & OVERFLOW:
            tell("overflow")
            continue
        below = directories.get(watched)
        if below is None:
            continue
        if mask & IGNORED:
            del directories[watched]
        elif mask & (DELETE_SELF | MOVE_SELF):
            if not below:
                tell("gone")
                sys.exit()
        else:
            path = os.path.join(below, name)
            for bit, kind in KINDS:
                if mask & bit:
                    tell(kind, path, bool(mask & IS_DIRECTORY))
            if is_recursive and mask & IS_DIRECTORY and mask & (CREATE | MOVED_TO):
                watch(path)

"""The files of the sandbox, with the rights of whoever asks."""

import os
import stat

from .call import Refusal

MAX_ENTRIES = 10_000
# What a file holds that is made as it is read, such as those of /proc, is kept up to this.
MAX_MADE_BYTES = 1024 * 1024
NAME_BYTES = 6
RANDOM_BYTES = 256 * NAME_BYTES
_random = b""
# The permissions that a file may have while it is being written: what the agent's umask lets through.
AT_ONCE = 0o755
KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "link"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def entry_of(path, name=None):
    """What stands at a path, itself and not what a link leads to."""
    stats = os.lstat(path)
    kind = next((kind for test, kind in KINDS if test(stats.st_mode)), "other")
    entry = {
        "path": name if name is not None else path,
        "kind": kind,
        "sizeBytes": stats.st_size,
        "mode": stat.S_IMODE(stats.st_mode),
        "uid": stats.st_uid,
        "gid": stats.st_gid,
        "modifiedAtMs": stats.st_mtime_ns // 1_000_000,
    }
    if kind == "link":
        entry["target"] = os.readlink(path)
    return entry


def list_entries(call, path, depth):
    """Lists a directory; deeper levels come after those above them."""
    entries = []
    level = [("", path)]
    for left in range(depth, 0, -1):
        below = []
        for prefix, directory in level:
            try:
                names = sorted(os.listdir(directory))
            except OSError:
                # One of those below may be forbidden or gone; the one that was asked for may not.
                if directory == path:
                    raise
                continue
            for name in names:
                if len(entries) >= MAX_ENTRIES:
                    return call.reply({"entries": entries, "isTruncated": True})
                at = os.path.join(directory, name)
                try:
                    entry = entry_of(at, prefix + name)
                except FileNotFoundError:
                    continue
                entries.append(entry)
                if entry["kind"] == "directory":
                    below.append((prefix + name + "/", at))
        level = below
    return call.reply({"entries": entries, "isTruncated": False})


def read_file(call, path, start, length):
    """Sends a file, or a part of it, as fast as it is taken. A FIFO or a device is no file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    stats = os.fstat(fd)
    if not stat.S_ISREG(stats.st_mode):
        os.close(fd)
        code = "EISDIR" if stat.S_ISDIR(stats.st_mode) else "EINVAL"
        raise Refusal(code, "is a directory" if code == "EISDIR" else "is no regular file")
    size = stats.st_size
    made = None
    if size == 0:
        try:
            made = read_made(fd)
        except OSError:
            os.close(fd)
            raise
        size = len(made)
    end = size if length is None else min(size, start + length)
    at = start

    def finish(done, *args):
        call.on_credit = call.on_cancel = None
        done(*args)
        os.close(fd)

    def pump():
        nonlocal at
        while at < end:
            most = call.may_send
            if most <= 0:
                return
            try:
                most = min(most, end - at)
                chunk = os.pread(fd, most, at) if made is None else made[at : at + most]
            except OSError as error:
                return finish(call.fail, error)
            if not chunk:
                return finish(call.fail, Refusal("EIO", "the file became shorter while it was read"))
            at += len(chunk)
            call.data(chunk)
        finish(call.reply)

    call.on_credit = pump
    call.on_cancel = lambda: finish(lambda: None)
    call.event({"sizeBytes": size, "modifiedAtMs": stats.st_mtime_ns // 1_000_000, "mode": stat.S_IMODE(stats.st_mode)})
    pump()


def read_made(fd):
    """All of a file that says of itself that it is empty: those of /proc and /sys do, whatever they hold."""
    body = b""
    while len(body) < MAX_MADE_BYTES:
        chunk = os.pread(fd, MAX_MADE_BYTES - len(body), len(body))
        if not chunk:
            break
        body += chunk
    return body


def unguessable():
    """What nobody else makes a name of. The system is asked for much at once: that takes as long as for little."""
    global _random
    if not _random:
        _random = os.urandom(RANDOM_BYTES)
    taken, _random = _random[:NAME_BYTES], _random[NAME_BYTES:]
    return taken.hex()


def mode_of(path, look):
    """Kind and permissions of what stands at a path; `look` follows a link or does not. None if there is nothing."""
    try:
        return look(path).st_mode
    except OSError:
        # Whatever keeps it from being looked at keeps it from being written, and says so there.
        return None


class Upload:
    """A file that is being written beside where it is to stand, and takes its place when it is whole."""

    def __init__(self, call, path, act):
        args = call.args
        self._call = call
        self._act = act
        self._target = path
        found = mode_of(path, os.lstat)
        if found is not None and stat.S_ISLNK(found):
            # A link is written through, as an editor does; its directory may be another one.
            self._target = os.path.realpath(path)
            found = mode_of(self._target, os.stat)
        if found is not None and stat.S_ISDIR(found):
            raise Refusal("EISDIR", "is a directory")
        directory, name = os.path.split(self._target)
        if args.get("makeParents"):
            os.makedirs(directory, exist_ok=True)
        self._mode = args.get("mode")
        if self._mode is None:
            self._mode = 0o644 if found is None else stat.S_IMODE(found)
        self._temporary = os.path.join(directory, ".%s.%s" % (name[:64], unguessable()))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._temporary, flags, self._mode & AT_ONCE)
        self._size = 0
        call.on_data = self._write
        call.on_end = self._end
        call.on_cancel = self._drop

    def _write(self, body, _stream, cost):
        if self._fd is None:
            return
        try:
            rest = memoryview(body)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self._drop()
            return self._call.fail(error)
        self._size += len(body)
        self._call.consumed(cost)

    def _end(self):
        if self._fd is None:
            return
        self._act()
        try:
            if self._mode & ~AT_ONCE:
                os.fchmod(self._fd, self._mode)
            os.rename(self._temporary, self._target)
        except OSError as error:
            self._drop()
            return self._call.fail(error)
        fd, self._fd = self._fd, None
        self._call.reply({"sizeBytes": self._size})
        os.close(fd)

    def _drop(self):
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        self._act()
        try:
            os.unlink(self._temporary)
        except OSError:
            pass


def remove(call, path, is_recursive, act):
    """Removes what stands at a path; a tree bit by bit, so that others are served meanwhile."""
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return call.reply()
    if not is_recursive:
        os.rmdir(path)
        return call.reply()

    def work():
        try:
            for count, (at, is_directory) in enumerate(walk_up(path)):
                if count % 64 == 0:
                    yield
                act()
                os.rmdir(at) if is_directory else os.unlink(at)
            call.reply()
        except OSError as error:
            call.fail(error)

    return work()


def walk_up(root):
    """All below a directory and it itself, each after what it holds; links are not followed."""
    stack = [(root, False)]
    while stack:
        path, is_seen = stack.pop()
        if is_seen:
            yield path, True
            continue
        stack.append((path, True))
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append((entry.path, False))
                else:
                    yield entry.path, False

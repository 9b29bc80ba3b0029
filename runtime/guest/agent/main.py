"""The agent: the first process of a sandbox, through which the host reaches all that is inside."""

import os

from .call import Call, Refusal
from .files import Upload, entry_of, list_entries, read_file, remove
from .loop import Loop
from .ports import connect
from .processes import Processes
from .users import ROOT, Identity, find_user
from .wire import INWARD, OUTWARD, Wire, give_up

PROTOCOL = 1
MAX_CALLS = 1024


class Agent:
    def __init__(self):
        self.wire = Wire(self._overflow)
        self._calls = {}
        self._identity = Identity()
        self._loop = Loop(lambda: self._processes.are_running, lambda: self._processes.reap(), self.wire.end_turn)
        self._processes = Processes(self._loop, self._identity)
        self._env = {}
        self._user = None
        self._cwd = "/"
        self._operations = {
            "configure": self._configure,
            "spawn": self._spawn,
            "attach": self._attach,
            "input": self._input,
            "closeInput": self._close_input,
            "signal": self._signal,
            "resize": self._resize,
            "processes": lambda call: call.reply({"processes": self._processes.list()}),
            "idle": lambda call: call.reply({"isIdle": not self._loop.has_slices and self._processes.are_none()}),
            "stat": lambda call: call.reply(entry_of(self._path(call))),
            "list": lambda call: list_entries(call, self._path(call), call.args["depth"]),
            "read": lambda call: read_file(call, self._path(call), call.args["start"], call.args.get("length")),
            "write": self._write,
            "mkdir": self._mkdir,
            "move": self._move,
            "remove": self._remove,
            "disk": self._disk,
            "connect": self._connect,
            "quiet": self._quiet,
            "go": self._go,
            "reset": lambda call: call.reply(),
        }

    def run(self):
        self.wire.send({"type": "hello", "protocol": PROTOCOL})
        self._loop.watch_always(INWARD, self.wire.read, self._receive)
        self._loop.run()

    def forget(self, call):
        self._calls.pop(call.id, None)

    def _receive(self):
        for header, body in self.wire.receive():
            self._take(header, body)

    def _take(self, header, body):
        kind = header.get("type")
        call_id = header.get("id")
        if kind == "call":
            if header.get("op") == "reset":
                self._forget_host()
            if call_id in self._calls or len(self._calls) >= MAX_CALLS:
                give_up("call %s is open already, or one too many" % call_id)
            call = Call(self, call_id, header.get("args") or {})
            self._calls[call_id] = call
            self._serve(call, header.get("op"))
            return
        call = self._calls.get(call_id)
        # What crossed the end of a call means nothing any more.
        if call is None:
            return
        if kind == "data":
            if not call.take_data(body, header.get("stream")):
                give_up("data for call %s, which takes none" % call_id)
        elif kind == "end":
            call.take_end()
        elif kind == "credit":
            call.take_credit(header["bytes"])
        elif kind == "cancel":
            call.take_cancel()
        else:
            give_up("unexpected message %s" % kind)

    def _serve(self, call, name):
        operation = self._operations.get(name)
        try:
            if operation is None:
                raise Refusal("ENOSYS", "there is no operation %s" % name)
            operation(call)
        except Exception as error:
            call.fail(error)

    def _overflow(self):
        """The channel takes no more for now."""
        self._loop.watch_writable(OUTWARD, self._drain)

    def _drain(self):
        if self.wire.drain():
            self._loop.unwatch_writable(OUTWARD)
        self._resume()

    def _resume(self):
        if self.wire.has_room:
            for call in list(self._calls.values()):
                call.resume()

    # Snapshots: the host saves what is inside while neither side says anything.

    def _quiet(self, call):
        call.reply()
        self.wire.hold()

    def _go(self, call):
        self.wire.release()
        call.reply()
        self._resume()

    def _forget_host(self):
        """This is a copy, whose host knows of no call that was open. What they have started goes on."""
        for call in list(self._calls.values()):
            call.take_cancel()
        self._loop.unwatch_writable(OUTWARD)
        self.wire.drop()

    # Who, where and with what.

    def _configure(self, call):
        self._env = call.args["env"]
        self._user = self._user_of(call.args["user"])
        self._identity.become(ROOT)
        self._cwd = home = self._user.home
        self._own_directory(home)
        self._cwd = self._resolved(call.args.get("cwd") or home, self._user)
        if not os.path.isdir(self._cwd):
            self._own_directory(self._cwd)
        call.reply({"user": self._user.name, "uid": self._user.uid, "home": home, "cwd": self._cwd})

    def _own_directory(self, path):
        os.makedirs(path, exist_ok=True)
        if path != "/" and os.stat(path).st_uid != self._user.uid:
            os.chown(path, self._user.uid, self._user.gid)

    def _user_of(self, name):
        if name is None:
            return self._user
        return ROOT if name == "root" else find_user(name)

    def _resolved(self, path, user):
        """A path as the user means it: from the home directory, or from the sandbox's working directory."""
        if "\0" in path:
            raise Refusal("EINVAL", "a path has no NUL")
        if path == "~" or path.startswith("~/"):
            path = user.home + path[1:]
        return os.path.normpath(os.path.join(self._cwd, path))

    def _path(self, call, name="path"):
        """Takes on the rights of the call's user; answers the path that it is about."""
        user = self._user_of(call.args.get("user"))
        path = self._resolved(call.args[name], user)
        self._identity.become(user)
        return path

    # Processes.

    def _spawn(self, call):
        user = self._user_of(call.args.get("user"))
        env = {
            **self._env,
            "HOME": user.home,
            "USER": user.name,
            "LOGNAME": user.name,
            "SHELL": user.shell,
            **({"TERM": "xterm-256color"} if "pty" in call.args else {}),
            **call.args.get("env", {}),
        }
        cwd = self._resolved(call.args.get("cwd") or self._cwd, user)
        self._processes.spawn(call, user, env, cwd)

    def _attach(self, call):
        process = self._processes.find(call.args["pid"])
        call.event(process.fields())
        process.show(call, False, call.args.get("fromStart", True), call.args.get("muted", False))

    def _input(self, call):
        process = self._processes.find(call.args["pid"])
        process.take_input(call)
        call.on_end = lambda: process.finish_input(call)

    def _close_input(self, call):
        self._processes.find(call.args["pid"]).end_input()
        call.reply()

    def _signal(self, call):
        self._processes.signal(call.args["pid"], call.args["signal"])
        call.reply()

    def _resize(self, call):
        self._processes.find(call.args["pid"]).resize(call.args["cols"], call.args["rows"])
        call.reply()

    def _connect(self, call):
        # What it is done with is imported when it is first asked for, which not every user may be able to.
        self._identity.become(ROOT)
        connect(self._loop, call, call.args["port"])

    # Files.

    def _act(self, user):
        return lambda: self._identity.become(user)

    def _write(self, call):
        path = self._path(call)
        user = self._user_of(call.args.get("user"))
        Upload(call, path, self._act(user))

    def _mkdir(self, call):
        path = self._path(call)
        mode = call.args.get("mode", 0o755)
        if call.args.get("makeParents"):
            os.makedirs(path, mode, exist_ok=True)
        else:
            os.mkdir(path, mode)
        call.reply(entry_of(path))

    def _move(self, call):
        target = self._path(call, "to")
        source = self._path(call)
        if not call.args.get("overwrite") and os.path.lexists(target):
            raise Refusal("EEXIST", "%s exists already" % target)
        os.rename(source, target)
        call.reply(entry_of(target))

    def _remove(self, call):
        path = self._path(call)
        user = self._user_of(call.args.get("user"))
        work = remove(call, path, call.args.get("recursive", False), self._act(user))
        if work is not None:
            self._loop.slice(work)

    def _disk(self, call):
        stats = os.statvfs("/")
        call.reply({
            "totalBytes": stats.f_blocks * stats.f_frsize,
            "freeBytes": stats.f_bavail * stats.f_frsize,
        })


def start():
    os.umask(0o022)
    Agent().run()


start()

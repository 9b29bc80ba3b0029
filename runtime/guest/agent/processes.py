"""The processes of the sandbox: started, found, signalled and reaped."""

import errno
import fcntl
import os
import _signal as signal
import struct
import termios

from .call import Refusal
from .launch import launch
from .process import Process
from .users import ROOT

MAX_RUNNING = 1024
# Those that have ended may still be asked for, unless they served one call alone.
MAX_ENDED = 64


class Processes:
    def __init__(self, loop, identity):
        self._loop = loop
        self._identity = identity
        self._running = {}
        self._ended = {}

    @property
    def are_running(self):
        return bool(self._running)

    def are_none(self):
        """Whether nothing runs inside but the agent, not even what others have left behind."""
        return not any(name.isdigit() and int(name) != os.getpid() for name in os.listdir("/proc"))

    def find(self, pid):
        process = self._running.get(pid) or self._ended.get(pid)
        if process is None:
            raise Refusal("ESRCH", "there is no process %s that was started here" % pid)
        return process

    def list(self):
        return [process.fields() for process in self._running.values() if not process.is_bound]

    def spawn(self, call, user, env, cwd):
        """Starts a process and shows its output with the call, whose answer is how the process ended."""
        args = call.args
        if len(self._running) >= MAX_RUNNING:
            raise Refusal("EAGAIN", "%d processes that were started here still run" % MAX_RUNNING)
        process = Process(self._loop, call, user, cwd)
        program = self._find_program(args["args"][0], user, env.get("PATH", ""), cwd)
        streams = Streams(args, user, self._identity)
        try:
            self._identity.become(user)
            process.pid = launch(program, args["args"], env, cwd, streams, lambda fork: self._identity.lend(user, fork))
        except OSError as error:
            streams.close_ours()
            raise Refusal(errno.errorcode.get(error.errno, "EIO"), "%s cannot run: %s" % (program, why_not(error)))
        except BaseException:
            streams.close_ours()
            raise
        finally:
            streams.close_theirs()
        for fd, stream in streams.outputs:
            process.add_reader(fd, stream)
        if streams.input is not None:
            process.set_input(streams.input)
        self._running[process.pid] = process
        beginning = {"pid": process.pid, "startedAtMs": process.started_at_ms}
        call.event(beginning, within=args.get("tellWithinMs", 0) / 1000)
        if streams.input is not None:
            process.take_input(call)
            call.on_end = process.end_input
        is_muted = args.get("muted", False)
        process.show(call, not is_muted, True, is_muted)
        if process.is_bound:
            detach = call.on_cancel
            call.on_cancel = lambda: (detach(), self._kill(process.pid))

    def _find_program(self, name, user, path, cwd):
        """Where a program stands that the user may run; relative to the directory that it is to run in."""
        self._identity.become(user)
        try:
            os.stat(cwd)
        except OSError as error:
            raise Refusal("ENOENT", "cannot run in directory %s: %s" % (cwd, error.strerror.lower()))
        places = [name] if "/" in name else [os.path.join(at or ".", name) for at in path.split(":")]
        for place in places:
            at = os.path.join(cwd, place)
            if os.path.isfile(at) and os.access(at, os.X_OK, effective_ids=True):
                return at
        raise Refusal("ENOENT", "there is no program %s that %s may run" % (name, user.name))

    def signal(self, pid, number):
        """Sends a signal to all that a process has started and that has not left its session."""
        process = self.find(pid)
        if process.exit is not None:
            raise Refusal("ESRCH", "process %d has ended" % pid)
        self._send_signal(pid, number)

    def _kill(self, pid):
        if pid in self._running:
            self._send_signal(pid, signal.SIGKILL)

    def _send_signal(self, pid, number):
        self._identity.become(ROOT)
        for member in session_members(pid):
            try:
                os.kill(member, number)
            except ProcessLookupError:
                pass

    def reap(self):
        """Takes note of all that have ended, those too whom nobody else waits for."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            process = self._running.pop(pid, None)
            if process is None:
                continue
            process.ended(status)
            if process.is_bound:
                continue
            self._ended.pop(pid, None)
            self._ended[pid] = process
            if len(self._ended) > MAX_ENDED:
                del self._ended[next(iter(self._ended))]


def why_not(error):
    if error.errno == errno.ENOENT:
        return "the interpreter that it names is not there"
    if error.errno == errno.ENOEXEC:
        return "it is neither a binary for this machine nor a script that begins with #!"
    return error.strerror.lower()


class Streams:
    """The ends of what a process reads and writes, and what it is to do with its own."""

    def __init__(self, args, user, identity):
        # Whether the process gets standard streams and nothing else.
        self.is_plain = False
        self.stdio = ()
        self.actions = []
        self.outputs = []
        self.input = None
        self._theirs = []
        self._ours = []
        try:
            if "pty" in args:
                self._open_terminal(args["pty"], user, identity)
            else:
                self._open_pipes(args.get("stdin"))
                self.is_plain = not args.get("messages")
                if not self.is_plain:
                    self._open_messages()
        except BaseException:
            self.close_ours()
            self.close_theirs()
            raise

    def _open_terminal(self, size, user, identity):
        identity.become(ROOT)
        ours, theirs = os.openpty()
        self._ours.append(ours)
        self._theirs.append(theirs)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", size["rows"], size["cols"], 0, 0))
        name = os.ttyname(theirs)
        os.chown(name, user.uid, -1)
        self.input = ours
        self.outputs.append((ours, "pty"))
        # Opened by one that leads its session, the terminal becomes that session's.
        self.actions = [
            (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]

    def _open_pipes(self, has_input):
        if has_input:
            theirs, self.input = os.pipe()
            self._ours.append(self.input)
        else:
            theirs = os.open("/dev/null", os.O_RDONLY)
        self._theirs.append(theirs)
        for stream in ("stdout", "stderr"):
            ours, theirs = os.pipe()
            self._theirs.append(theirs)
            self._ours.append(ours)
            self.outputs.append((ours, stream))
        self.stdio = tuple(self._theirs)
        self.actions = [(os.POSIX_SPAWN_DUP2, theirs, number) for number, theirs in enumerate(self.stdio)]

    def _open_messages(self):
        """Input comes as descriptor 3, and what is written to 4 is told apart from output."""
        theirs, self.input = os.pipe()
        self._theirs.append(theirs)
        self._ours.append(self.input)
        self.actions.append((os.POSIX_SPAWN_DUP2, theirs, 3))
        ours, theirs = os.pipe()
        self._theirs.append(theirs)
        self._ours.append(ours)
        self.outputs.append((ours, "messages"))
        self.actions.append((os.POSIX_SPAWN_DUP2, theirs, 4))

    def close_theirs(self):
        for fd in self._theirs:
            os.close(fd)
        self._theirs.clear()

    def close_ours(self):
        for fd in self._ours:
            os.close(fd)
        self._ours.clear()


def session_members(leader):
    """The processes of a session, parents first: one that saw what it waits for die would go on before its own turn."""
    members = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == leader:
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            members.append(int(name))
    return [leader, *sorted(members)]

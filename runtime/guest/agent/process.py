"""One process that the host asked for: fed, shown, and told of when it has ended."""

import errno
import fcntl
import os
import struct
import termios
import time
from _collections import deque

from .call import Refusal
from .output import Output, Viewer

READ_BYTES = 64 * 1024
# What may have been written to a stream before a message, and fits in its pipe.
READS_BEFORE_MESSAGE = 3
# What a pipe holds at the most: others that go on writing may fill it again for ever.
READS_AT_END = 16


class Process:
    def __init__(self, loop, call, user, cwd):
        args = call.args
        self.pid = None
        self.tag = args.get("tag")
        self.args = args["args"]
        self.cwd = cwd
        self.user = user.name
        self.has_terminal = "pty" in args
        # Whether it is of no use to anybody but the call that has started it.
        self.is_bound = args.get("bound", False)
        self.started_at_ms = time.time_ns() // 1_000_000
        self.exit = None
        self.output = Output()
        self._loop = loop
        self._readers = {}
        self._input = None
        self._input_queue = deque()
        self._is_input_ended = False
        self._is_input_watched = False

    # Output.

    def show(self, call, is_lossless, from_start, is_muted=False):
        viewer = Viewer(self.output, call, is_lossless, from_start, is_muted)
        call.on_cancel = lambda: (viewer.detach(), self.read_on())
        pump = viewer.pump

        def on_credit():
            pump()
            self.read_on()

        call.on_credit = on_credit
        if self.exit is not None:
            viewer.end(self.exit_fields())
        else:
            viewer.pump()

    def add_reader(self, fd, stream):
        os.set_blocking(fd, False)
        self._readers[fd] = stream
        self._loop.watch(fd, lambda: self.read(fd))

    def read(self, fd):
        """Takes what is there; False once there is nothing more for now."""
        try:
            chunk = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            # A terminal without anybody at its other end says EIO.
            if error.errno != errno.EIO:
                raise
            chunk = b""
        if not chunk:
            self._drop_reader(fd)
            return False
        if self._readers[fd] == "messages":
            self._read_before_message()
        if self.exit is None:
            self.output.add(self._readers[fd], chunk)
            if self.output.is_held_back:
                for other in self._readers:
                    self._loop.unwatch(other)
        return True

    def _read_before_message(self):
        """What was written before a message is told before it."""
        for fd in [fd for fd, stream in self._readers.items() if stream != "messages"]:
            for _ in range(READS_BEFORE_MESSAGE):
                if not self.read(fd):
                    break

    def read_on(self):
        if self.output.is_held_back:
            return
        for fd in self._readers:
            self._loop.watch(fd, lambda fd=fd: self.read(fd))

    def _drop_reader(self, fd):
        self._readers.pop(fd, None)
        self._loop.unwatch(fd)
        if fd == self._input:
            self.end_input()
            self._input = None
        os.close(fd)

    # Input.

    def take_input(self, call):
        """Feeds what comes with the call to the process, in order, as it takes it."""
        if self._input is None or self._is_input_ended:
            raise Refusal("EPIPE", "the process takes no more input")
        call.on_data = lambda body, _stream, cost: self._queue_input(body, call, cost)

    def _queue_input(self, body, call, cost):
        if self._input is None or self._is_input_ended:
            call.consumed(cost)
            return
        self._input_queue.append((memoryview(body), call, cost))
        self._feed()

    def finish_input(self, call):
        """Answers a call that has fed the process, once all of that is taken or never will be."""
        if self._input_queue:
            self._input_queue.append((None, call, 0))
        else:
            call.reply()

    def _feed(self):
        while self._input_queue and self._input is not None:
            body, call, cost = self._input_queue[0]
            if body is None:
                self._input_queue.popleft()
                call.reply()
                continue
            try:
                written = os.write(self._input, body)
            except BlockingIOError:
                if not self._is_input_watched:
                    self._is_input_watched = True
                    self._loop.watch_writable(self._input, self._feed)
                return
            except OSError:
                self._lose_input()
                return
            if written < len(body):
                self._input_queue[0] = (body[written:], call, cost)
                continue
            self._input_queue.popleft()
            call.consumed(cost)
        if self._is_input_watched and self._input is not None:
            self._is_input_watched = False
            self._loop.unwatch_writable(self._input)
        if self._is_input_ended:
            self._close_input()

    def end_input(self):
        """No more input comes. On a terminal that is the character for it, as a person would type it."""
        if self._is_input_ended or self._input is None:
            return
        if self.has_terminal:
            self._input_queue.append((memoryview(b"\x04"), _NoCall, 0))
            self._feed()
            return
        self._is_input_ended = True
        if not self._input_queue:
            self._close_input()

    def _close_input(self):
        if self._input is None or self.has_terminal:
            return
        fd, self._input = self._input, None
        if self._is_input_watched:
            self._is_input_watched = False
            self._loop.unwatch_writable(fd)
        os.close(fd)

    def _lose_input(self):
        self._is_input_ended = True
        for body, call, cost in self._input_queue:
            if body is None:
                call.reply()
            else:
                call.consumed(cost)
        self._input_queue.clear()
        self._close_input()

    def set_input(self, fd):
        os.set_blocking(fd, False)
        self._input = fd

    # Life.

    def resize(self, cols, rows):
        if not self.has_terminal:
            raise Refusal("ENOTTY", "process %d has no terminal" % self.pid)
        if self._input is not None:
            fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def ended(self, status):
        """The process has ended: what it wrote comes first, then its exit."""
        for fd in list(self._readers):
            for _ in range(READS_AT_END):
                if not self.read(fd):
                    break
        self.exit = (status, time.time_ns() // 1_000_000)
        self._lose_input()
        if self.has_terminal:
            for fd in list(self._readers):
                self._drop_reader(fd)
        else:
            # Those it left behind may go on writing; nobody is shown that, but it must not block them.
            self.read_on()
        for viewer in list(self.output.viewers):
            viewer.end(self.exit_fields())

    def exit_fields(self):
        status, at_ms = self.exit
        by_signal = os.WIFSIGNALED(status)
        return {
            "pid": self.pid,
            "code": 128 + os.WTERMSIG(status) if by_signal else os.WEXITSTATUS(status),
            "signal": os.WTERMSIG(status) if by_signal else None,
            "endedAtMs": at_ms,
        }

    def fields(self):
        return {
            "pid": self.pid,
            "tag": self.tag,
            "args": self.args,
            "cwd": self.cwd,
            "user": self.user,
            "hasTerminal": self.has_terminal,
            "startedAtMs": self.started_at_ms,
            **({"exit": self.exit_fields()} if self.exit is not None else {}),
        }


class _NoCall:
    @staticmethod
    def consumed(_count):
        pass

"""The guest's end of the channel: frames on one descriptor."""

import json
import os
import sys

CHANNEL = 3
UNPARSABLE_EXIT_CODE = 70
MAX_FRAME_BYTES = 64 * 1024 * 1024 + 64 * 1024
MAX_HEADER_BYTES = 1024 * 1024
JOINED_BODY_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024


class AnswerTooLarge(Exception):
    pass


class Channel:
    """Frames on one descriptor. User code may replace anything in its modules, so all is bound here."""

    def __init__(self):
        self._read = os.read
        self._readv = os.readv
        self._write = os.write
        self._exit = os._exit
        self._unpack = int.from_bytes
        self._parse = json.loads
        self._stringify = json.JSONEncoder(separators=(",", ":")).encode
        self._streams = (sys.stdout, sys.stderr)
        self._pending = b""
        self._is_forked = False
        os.set_inheritable(CHANNEL, False)
        os.register_at_fork(after_in_child=self._leave)

    def receive(self):
        """The next frame as header and body. Ends the process where there is none."""
        rest = self._unpack(self._take(4), "big")
        if rest < 4 or rest > MAX_FRAME_BYTES:
            self.give_up("length %d is out of bounds" % rest)
        frame = self._take(rest)
        header_end = 4 + self._unpack(frame[:4], "big")
        try:
            header = self._parse(str(frame[4:header_end], "utf-8"))
        except ValueError:
            header = None
        if header_end > rest or not isinstance(header, dict):
            self.give_up("header is not a JSON object")
        with memoryview(frame) as view:
            return header, bytes(view[header_end:])

    def send(self, header, body=b""):
        """Sends a frame, after all that was printed. Raises AnswerTooLarge over the bounds."""
        head = self._stringify(header).encode("ascii")
        rest = 4 + len(head) + len(body)
        if rest > MAX_FRAME_BYTES or len(head) > MAX_HEADER_BYTES:
            raise AnswerTooLarge("Cannot send a frame of %d bytes: the bound is %d" % (rest, MAX_FRAME_BYTES))
        self.flush()
        if self._is_forked:
            self._exit(0)
        start = rest.to_bytes(4, "big") + len(head).to_bytes(4, "big") + head
        if len(body) <= JOINED_BODY_BYTES:
            self._write_all(start + body)
        else:
            self._write_all(start)
            self._write_all(body)

    def flush(self):
        """Writes out what user code printed; it may have closed or replaced its streams."""
        for stream in (*self._streams, sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass

    def end(self, code):
        """Ends the process at once."""
        self.flush()
        self._exit(code)

    def give_up(self, fact):
        """Ends the process because of a frame that is not of the protocol."""
        try:
            sys.stderr.write("runlet: %s\n" % fact)
        finally:
            self.end(UNPARSABLE_EXIT_CODE)

    def _take(self, count):
        """Exactly `count` bytes; read ahead, so that a small frame costs one call."""
        if len(self._pending) < count:
            if count <= CHUNK_BYTES:
                self._pending += self._read_some(CHUNK_BYTES)
            if len(self._pending) < count:
                self._fill(count)
        # A large frame is taken as it is: every copy of it counts as the function's memory.
        if len(self._pending) == count:
            taken, self._pending = self._pending, b""
            return taken
        taken = self._pending[:count]
        self._pending = self._pending[count:]
        return taken

    def _fill(self, count):
        whole = bytearray(count)
        have = len(self._pending)
        whole[:have] = self._pending
        with memoryview(whole) as view:
            while have < count:
                try:
                    received = self._readv(CHANNEL, [view[have:]])
                except OSError:
                    received = 0
                if received == 0:
                    self.end(0)
                have += received
        self._pending = whole

    def _read_some(self, count):
        try:
            chunk = self._read(CHANNEL, count)
        except OSError:
            chunk = b""
        if not chunk:
            self.end(0)
        return chunk

    def _write_all(self, data):
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                try:
                    sent += self._write(CHANNEL, view[sent:])
                except OSError:
                    self.end(0)

    def _leave(self):
        """A forked child is no runner: what it would send ends it instead."""
        self._is_forked = True
        os.close(CHANNEL)

"""The agent's end of the channel: frames in on one descriptor and out on another, of which only the first may be waited for."""

import _json
import os
import sys
import time
from _collections import deque
from itertools import islice

INWARD = 0
OUTWARD = 1
BROKEN_PROTOCOL_EXIT_CODE = 70
MAX_FRAME_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 256 * 1024
READ_BYTES = 512 * 1024
# What streams may have waiting here before they pause; answers are always taken.
MAX_BACKLOG_BYTES = 2 * 1024 * 1024
# What is written before the end of a turn, so that the host has something to do meanwhile.
EARLY_BYTES = 256 * 1024
# Pieces that one system call takes.
MAX_PIECES = 64


class _Grammar:
    """What the scanner of JSON is told; the json module takes a megabyte in each sandbox for what is done here."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo = {}


_scan = _json.make_scanner(_Grammar)
_encode = _json.make_encoder(None, None, _json.encode_basestring_ascii, None, ":", ",", False, False, True)


class Wire:
    def __init__(self, on_full):
        for fd in (INWARD, OUTWARD):
            os.set_inheritable(fd, False)
        os.set_blocking(INWARD, True)
        os.set_blocking(OUTWARD, False)
        self._incoming = bytearray()
        self._outgoing = deque()
        self._held = None
        self._is_full = False
        self._on_full = on_full
        # Until when all that is queued may wait.
        self._due = None
        self.backlog = 0

    @property
    def has_room(self):
        return self._held is None and self.backlog < MAX_BACKLOG_BYTES

    def read(self):
        """Takes what has arrived, and waits for it where nothing has."""
        try:
            chunk = os.read(INWARD, READ_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            os._exit(0)
        self._incoming += chunk

    def receive(self):
        """The frames that have been read whole, as pairs of header and body."""
        incoming = self._incoming
        start = 0
        while len(incoming) - start >= 8:
            rest = int.from_bytes(incoming[start : start + 4], "big")
            if rest < 4 or rest > MAX_FRAME_BYTES:
                give_up("length %d is out of bounds" % rest)
            if len(incoming) - start < 4 + rest:
                break
            head_end = start + 8 + int.from_bytes(incoming[start + 4 : start + 8], "big")
            end = start + 4 + rest
            try:
                header = _scan(str(incoming[start + 8 : head_end], "utf-8", "surrogatepass"), 0)[0] if head_end <= end else None
            except (ValueError, StopIteration):
                header = None
            if not isinstance(header, dict):
                give_up("header is not a JSON object")
            with memoryview(incoming) as view:
                body = bytes(view[head_end:end])
            yield header, body
            start = end
        del incoming[:start]

    def send(self, header, body=b"", within=0):
        """
        Queues a frame, which goes out with all others of this turn, or with the next ones that come within so many
        seconds; not while they are held.
        """
        if within == 0 or self._outgoing and self._due is None:
            self._due = None
        else:
            due = time.monotonic() + within
            self._due = due if self._due is None else min(due, self._due)
        head = "".join(_encode(header, 0)).encode("ascii")
        size = 4 + len(head) + len(body)
        queue = self._outgoing if self._held is None else self._held
        queue.append(b"".join((size.to_bytes(4, "big"), len(head).to_bytes(4, "big"), head)))
        if body:
            queue.append(body)
        self.backlog += 4 + size
        if self.backlog >= EARLY_BYTES:
            self.flush()

    def hold(self):
        """Keeps back what is sent from now on; what was sent before goes out to its last byte."""
        if self._held is None:
            self._held = deque()

    def release(self):
        """Ends a hold, and writes what it has kept back."""
        held, self._held = self._held, None
        if held:
            self._outgoing.extend(held)

    def drop(self):
        """Ends a hold, and forgets what nobody has read."""
        self._held = None
        self._is_full = False
        self._due = None
        self._outgoing.clear()
        self.backlog = 0

    def end_turn(self):
        """Writes what is not to wait; answers for how many seconds the rest may, or -1 where there is none."""
        left = -1 if self._due is None else self._due - time.monotonic()
        if left > 0:
            return left
        self.flush()
        return -1

    def flush(self):
        """Writes as much as the channel takes; of one that is full the rest waits for `drain`."""
        self._due = None
        outgoing = self._outgoing
        while outgoing and not self._is_full:
            pieces = list(islice(outgoing, MAX_PIECES))
            try:
                sent = os.writev(OUTWARD, pieces)
            except BlockingIOError:
                self._is_full = True
                self._on_full()
                return
            except OSError:
                os._exit(0)
            self.backlog -= sent
            for piece in pieces:
                if sent < len(piece):
                    outgoing[0] = memoryview(piece)[sent:]
                    break
                sent -= len(piece)
                outgoing.popleft()

    def drain(self):
        """The channel takes more: writes what has waited for that; whether that was all."""
        self._is_full = False
        self.flush()
        return not self._is_full


def give_up(fact):
    """Ends the sandbox because of a frame that is not of the protocol."""
    sys.stderr.write("runlet: %s\n" % fact)
    sys.stderr.flush()
    os._exit(BROKEN_PROTOCOL_EXIT_CODE)

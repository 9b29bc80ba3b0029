"""The agent's end of the channel: frames in on one descriptor and out on another, without ever waiting for either."""

import _json
import os
import sys
from _collections import deque

INWARD = 0
OUTWARD = 1
BROKEN_PROTOCOL_EXIT_CODE = 70
MAX_FRAME_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 256 * 1024
READ_BYTES = 512 * 1024
# What streams may have waiting here before they pause; answers are always taken.
MAX_BACKLOG_BYTES = 2 * 1024 * 1024


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
            os.set_blocking(fd, False)
        self._incoming = bytearray()
        self._outgoing = deque()
        self._held = None
        self._on_full = on_full
        self.backlog = 0

    @property
    def has_room(self):
        return self._held is None and self.backlog < MAX_BACKLOG_BYTES

    @property
    def is_flushed(self):
        return not self._outgoing

    def receive(self):
        """The frames that have arrived, as pairs of header and body."""
        try:
            chunk = os.read(INWARD, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            os._exit(0)
        incoming = self._incoming
        incoming += chunk
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
            yield header, bytes(incoming[head_end:end])
            start = end
        del incoming[:start]

    def send(self, header, body=b""):
        """Queues a frame and writes what the channel takes now; nothing while it is held."""
        head = "".join(_encode(header, 0)).encode("ascii")
        size = 4 + len(head) + len(body)
        frame = b"".join((size.to_bytes(4, "big"), len(head).to_bytes(4, "big"), head, body))
        self.backlog += len(frame)
        if self._held is not None:
            self._held.append(memoryview(frame))
            return
        self._outgoing.append(memoryview(frame))
        if len(self._outgoing) == 1:
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
            self.flush()

    def drop(self):
        """Ends a hold, and forgets what nobody has read."""
        self._held = None
        self._outgoing.clear()
        self.backlog = 0

    def flush(self):
        """Writes as much as the channel takes."""
        while self._outgoing:
            first = self._outgoing[0]
            try:
                sent = os.write(OUTWARD, first)
            except BlockingIOError:
                self._on_full()
                return
            except OSError:
                os._exit(0)
            self.backlog -= sent
            if sent == len(first):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = first[sent:]


def give_up(fact):
    """Ends the sandbox because of a frame that is not of the protocol."""
    sys.stderr.write("runlet: %s\n" % fact)
    sys.stderr.flush()
    os._exit(BROKEN_PROTOCOL_EXIT_CODE)

"""What a process has written: kept up to a bound for those who come later, passed on to those who watch."""

from _collections import deque

RING_BYTES = 1024 * 1024


class Output:
    def __init__(self):
        self._chunks = deque()
        self._kept = 0
        self.total = 0
        self.viewers = []

    @property
    def start(self):
        """How much was written before what is still kept."""
        return self.total - self._kept

    @property
    def is_held_back(self):
        """Whether somebody who is to miss nothing has too much left to read."""
        return any(viewer.is_lossless and self.total - viewer.at >= RING_BYTES // 2 for viewer in self.viewers)

    def add(self, stream, body):
        self._chunks.append((self.total, stream, body))
        self.total += len(body)
        self._kept += len(body)
        while self._kept > RING_BYTES and len(self._chunks) > 1:
            self._kept -= len(self._chunks.popleft()[2])
        self.pump()

    def pump(self):
        for viewer in list(self.viewers):
            viewer.pump()

    def since(self, at):
        """What is kept from `at` on: pieces of a stream with where they begin."""
        for start, stream, body in self._chunks:
            if start + len(body) <= at:
                continue
            yield (start, stream, body) if start >= at else (at, stream, body[at - start :])


class Viewer:
    """One call that is shown the output of a process, as fast as its reader reads."""

    def __init__(self, output, call, is_lossless, from_start, is_muted=False):
        self._output = output
        self._call = call
        self._exit = None
        self._is_muted = is_muted
        self.is_lossless = is_lossless
        self.at = 0 if from_start else output.total
        output.viewers.append(self)

    def pump(self):
        output, call = self._output, self._call
        if self._is_muted:
            self.at = output.total
        if self.at < output.start:
            call.event({"dropped": output.start - self.at})
            self.at = output.start
        while self.at < output.total:
            sent = self._send_next()
            if not sent:
                return
        if self._exit is not None:
            self.detach()
            call.reply(self._exit)

    def _send_next(self):
        for _, stream, body in self._output.since(self.at):
            most = self._call.may_send
            if most <= 0:
                return False
            part = body[:most]
            self._call.data(part, stream)
            self.at += len(part)
            return True
        return False

    def end(self, fields):
        """There will be no more output; the answer follows the last of it."""
        self._exit = fields
        self.pump()

    def detach(self):
        if self in self._output.viewers:
            self._output.viewers.remove(self)

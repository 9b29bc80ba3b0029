"""One request of the host, from its first frame to its answer, with a stream in either direction."""

import errno

CHUNK_BYTES = 256 * 1024
# What either side may send of one call's stream before it hears of it again.
WINDOW_BYTES = 1024 * 1024
# How much of it has to be passed on before that is told: a word for each piece would cost as much as the piece.
CREDIT_BYTES = WINDOW_BYTES // 4
# A chunk costs a little more than its bytes, so that tiny ones are held back too.
CHUNK_COST_BYTES = 256


class Refusal(Exception):
    """A request that cannot be done; `code` is the name of an errno."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Call:
    def __init__(self, agent, call_id, args):
        self._agent = agent
        self.id = call_id
        self.args = args
        self.is_over = False
        self._credit = WINDOW_BYTES
        self._open_window = WINDOW_BYTES
        self._passed_on = 0
        # Set by whoever serves the call.
        self.on_data = None
        self.on_end = None
        self.on_credit = None
        self.on_cancel = None

    @property
    def may_send(self):
        """How many bytes of a stream may be sent now."""
        if self.is_over or not self._agent.wire.has_room:
            return 0
        return max(0, min(CHUNK_BYTES, self._credit - CHUNK_COST_BYTES))

    def data(self, body, stream=None):
        self._credit -= len(body) + CHUNK_COST_BYTES
        header = {"type": "data", "id": self.id}
        if stream is not None:
            header["stream"] = stream
        self._agent.wire.send(header, body)

    def event(self, fields, within=0):
        """Tells something before the answer, or along with what comes within so many seconds."""
        if not self.is_over:
            self._agent.wire.send({"type": "event", "id": self.id, "event": fields}, within=within)

    def reply(self, fields=None):
        """Answers at once, with what was said before: what is left to be cleared away can wait."""
        if self._finish():
            self._agent.wire.send({"type": "reply", "id": self.id, "result": fields or {}})
            self._agent.wire.flush()

    def fail(self, error):
        if not self._finish():
            return
        code, message = describe(error)
        self._agent.wire.send({"type": "fail", "id": self.id, "code": code, "message": message})

    def consumed(self, count):
        """Lets the host send on, after bytes of its stream have been passed on."""
        self._passed_on += count
        if self._passed_on < CREDIT_BYTES or self.is_over:
            return
        self._open_window += self._passed_on
        self._agent.wire.send({"type": "credit", "id": self.id, "bytes": self._passed_on})
        self._passed_on = 0

    # What the host says of the call.

    def take_data(self, body, stream):
        cost = len(body) + CHUNK_COST_BYTES
        if cost > self._open_window or self.on_data is None:
            return False
        self._open_window -= cost
        self.on_data(body, stream, cost)
        return True

    def take_end(self):
        if self.on_end is not None:
            self.on_end()

    def take_credit(self, count):
        self._credit += count
        if self.on_credit is not None:
            self.on_credit()

    def take_cancel(self):
        self._finish()
        if self.on_cancel is not None:
            self.on_cancel()

    def resume(self):
        """The channel takes more: whoever waits for that may go on."""
        if self.on_credit is not None:
            self.on_credit()

    def _finish(self):
        if self.is_over:
            return False
        self.is_over = True
        self._agent.forget(self)
        return True


def describe(error):
    """An exception as the name of an errno and a sentence."""
    if isinstance(error, Refusal):
        return error.code, str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "EIO"), (error.strerror or str(error)).lower()
    if isinstance(error, MemoryError):
        return "ENOMEM", "out of memory"
    if isinstance(error, (KeyError, TypeError, ValueError, OverflowError)):
        return "EINVAL", "%s: %s" % (type(error).__name__, error)
    return "EIO", "%s: %s" % (type(error).__name__, error)

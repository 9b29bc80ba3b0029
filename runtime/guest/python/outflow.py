"""An answer's way out piece by piece, no faster than the host gives credit for."""

WINDOW_BYTES = 256 * 1024
MAX_PIECE_BYTES = 64 * 1024
PIECE_COST_BYTES = 256


def is_stream(value):
    """Generators, iterators and async iterables; a list is a value as any other."""
    return hasattr(value, "__next__") or hasattr(value, "__aiter__")


class Outflow:
    """The stream of one answer, whose first chunk tells its type where the result does not."""

    def __init__(self, channel, result):
        self._channel = channel
        self._start = dict(result, type="start")
        self._id = result["id"]
        self._credit = WINDOW_BYTES
        self._is_begun = False

    def write(self, chunk):
        is_text = isinstance(chunk, str)
        if not is_text and not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise TypeError(
                "Cannot stream a value of type %s: the chunks of an answer are text or bytes"
                % type(chunk).__name__
            )
        data = chunk.encode("utf-8") if is_text else bytes(chunk)
        self._begin("text/plain; charset=utf-8" if is_text else "application/octet-stream")
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                while self._credit <= PIECE_COST_BYTES:
                    self._wait_for_credit()
                piece = view[sent : sent + min(MAX_PIECE_BYTES, self._credit - PIECE_COST_BYTES)]
                self._credit -= len(piece) + PIECE_COST_BYTES
                self._channel.send({"type": "chunk", "id": self._id}, piece)
                sent += len(piece)

    async def write_all(self, chunks):
        async for chunk in chunks:
            self.write(chunk)

    def end(self):
        self._begin("application/octet-stream")
        self._channel.send({"type": "end", "id": self._id})

    def _begin(self, content_type):
        if not self._is_begun:
            self._is_begun = True
            self._start["contentType"] = self._start["contentType"] or content_type
            self._channel.send(self._start)

    def _wait_for_credit(self):
        header, _ = self._channel.receive()
        if not is_credit(header):
            self._channel.give_up("unexpected message %s" % header.get("type"))
        if header["id"] == self._id:
            self._credit += header["bytes"]


def is_credit(header):
    is_whole = isinstance(header.get("id"), str) and isinstance(header.get("bytes"), int)
    return header.get("type") == "credit" and is_whole

"""Connections to what listens inside."""

import errno

from .call import Refusal

READ_BYTES = 64 * 1024
SHUT_WR = 1


def connect(loop, call, port):
    """Connects to a port of the sandbox's own loopback; the call is the connection."""
    # Few sandboxes serve anything, and the module takes memory in each.
    import socket

    last = OSError(errno.ECONNREFUSED, "connection refused")
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        link = None
        try:
            link = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            # Both ends are in this kernel: it answers at once, or nobody listens.
            link.settimeout(1)
            link.connect((address, port))
            link.setblocking(False)
            Connection(loop, call, link)
            return
        except OSError as error:
            last = error
            if link is not None:
                link.close()
    raise Refusal("ECONNREFUSED", "nobody listens there (%s)" % last)


class Connection:
    def __init__(self, loop, call, link):
        self._loop = loop
        self._call = call
        self._link = link
        self._queue = []
        self._is_input_ended = False
        self._is_output_ended = False
        call.on_data = self._take
        call.on_end = self._end
        call.on_cancel = self._close
        call.on_credit = lambda: loop.watch(link.fileno(), self._read) if not self._is_output_ended else None
        call.event({})
        loop.watch(link.fileno(), self._read)

    def _read(self):
        most = self._call.may_send
        if most <= 0:
            return self._loop.unwatch(self._link.fileno())
        try:
            chunk = self._link.recv(min(most, READ_BYTES))
        except BlockingIOError:
            return None
        except OSError as error:
            return self._fail(error)
        if chunk:
            return self._call.data(chunk)
        self._is_output_ended = True
        self._loop.unwatch(self._link.fileno())
        self._call.event({"end": True})
        return self._settle()

    def _take(self, body, _stream, cost):
        self._queue.append((memoryview(body), cost))
        self._write()

    def _write(self):
        while self._queue:
            body, cost = self._queue[0]
            try:
                sent = self._link.send(body)
            except BlockingIOError:
                return self._loop.watch_writable(self._link.fileno(), self._write)
            except OSError as error:
                return self._fail(error)
            if sent < len(body):
                self._queue[0] = (body[sent:], cost)
                continue
            self._queue.pop(0)
            self._call.consumed(cost)
        self._loop.unwatch_writable(self._link.fileno())
        if self._is_input_ended:
            try:
                self._link.shutdown(SHUT_WR)
            except OSError:
                pass
            self._settle()
        return None

    def _end(self):
        self._is_input_ended = True
        if not self._queue:
            self._write()

    def _settle(self):
        if self._is_input_ended and self._is_output_ended and not self._queue:
            self._close()
            self._call.reply()

    def _fail(self, error):
        self._close()
        self._call.fail(error)

    def _close(self):
        if self._link.fileno() < 0:
            return
        self._loop.unwatch(self._link.fileno())
        self._loop.unwatch_writable(self._link.fileno())
        self._link.close()
        self._is_output_ended = True

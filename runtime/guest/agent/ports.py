"""Connections to what listens inside."""

import errno
import os

from .call import Refusal

READ_BYTES = 64 * 1024
SHUT_WR = 1


def connect(loop, call, port):
    """Connects to a port of the sandbox's own loopback; the call is the connection."""
    Attempt(loop, call, port)


class Attempt:
    """Tries one address after the other; a server that does not accept holds up nothing else."""

    def __init__(self, loop, call, port):
        # Few sandboxes serve anything, and the module takes memory in each.
        import socket

        self._loop = loop
        self._call = call
        self._port = port
        self._socket = socket
        self._addresses = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
        self._link = None
        call.on_cancel = self._close
        self._next(errno.ECONNREFUSED)

    def _next(self, code):
        while self._addresses:
            family, address = self._addresses.pop(0)
            kind = self._socket.SOCK_STREAM | self._socket.SOCK_CLOEXEC | self._socket.SOCK_NONBLOCK
            try:
                self._link = self._socket.socket(family, kind)
                code = self._link.connect_ex((address, self._port))
            except OSError as error:
                code = error.errno
            if code == 0:
                return self._open()
            if code == errno.EINPROGRESS:
                return self._loop.watch_writable(self._link.fileno(), self._settle)
            self._close()
        return self._call.fail(Refusal("ECONNREFUSED", "nobody listens there (%s)" % os.strerror(code).lower()))

    def _settle(self):
        self._loop.unwatch_writable(self._link.fileno())
        code = self._link.getsockopt(self._socket.SOL_SOCKET, self._socket.SO_ERROR)
        if code == 0:
            return self._open()
        self._close()
        return self._next(code)

    def _open(self):
        link, self._link = self._link, None
        Connection(self._loop, self._call, link)

    def _close(self):
        if self._link is None:
            return
        self._loop.unwatch_writable(self._link.fileno())
        self._link.close()
        self._link = None


class Connection:
    def __init__(self, loop, call, link):
        self._loop = loop
        self._call = call
        self._link = link
        self._queue = []
        self._is_input_ended = False
        self._is_output_ended = False
        # Why nobody inside takes input any more.
        self._refused = None
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
        if self._refused is not None:
            return self._call.consumed(cost)
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
                return self._refuse(error)
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

    def _refuse(self, error):
        """No more input is taken; what was said before, such as why, is there to be read all the same."""
        self._refused = error
        self._loop.unwatch_writable(self._link.fileno())
        queue, self._queue = self._queue, []
        for _, cost in queue:
            self._call.consumed(cost)
        self._settle()

    def _settle(self):
        if self._refused is not None:
            if self._is_output_ended:
                self._fail(self._refused)
        elif self._is_input_ended and self._is_output_ended and not self._queue:
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

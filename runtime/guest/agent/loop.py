"""What the agent waits for: descriptors, children that end, and long work that is done in slices."""

import os
import select
import _signal as signal
from _collections import deque


class Loop:
    def __init__(self, on_child):
        self._epoll = select.epoll()
        self._readers = {}
        self._writers = {}
        self._masks = {}
        self._slices = deque()
        self._on_child = on_child
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        os.set_blocking(theirs, False)
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._child_ended = ours
        self.watch(ours, self._reap)

    def watch(self, fd, on_readable):
        self._readers[fd] = on_readable
        self._update(fd)

    def unwatch(self, fd):
        self._readers.pop(fd, None)
        self._update(fd)

    def watch_writable(self, fd, on_writable):
        self._writers[fd] = on_writable
        self._update(fd)

    def unwatch_writable(self, fd):
        self._writers.pop(fd, None)
        self._update(fd)

    def slice(self, work):
        """Goes through an iterator bit by bit, between other things."""
        self._slices.append(work)

    def run(self):
        while True:
            for fd, mask in self._epoll.poll(0 if self._slices else -1):
                if mask & ~select.EPOLLOUT and fd in self._readers:
                    self._readers[fd]()
                if mask & ~select.EPOLLIN and fd in self._writers:
                    self._writers[fd]()
            for _ in range(len(self._slices)):
                work = self._slices.popleft()
                if next(work, self) is not self:
                    self._slices.append(work)

    def _update(self, fd):
        wanted = (select.EPOLLIN if fd in self._readers else 0) | (select.EPOLLOUT if fd in self._writers else 0)
        known = self._masks.get(fd)
        if wanted == 0:
            if known is not None:
                self._forget(fd)
        elif known is None:
            self._masks[fd] = wanted
            self._epoll.register(fd, wanted)
        elif known != wanted:
            self._masks[fd] = wanted
            self._epoll.modify(fd, wanted)

    def _forget(self, fd):
        del self._masks[fd]
        self._epoll.unregister(fd)

    def _reap(self):
        try:
            os.read(self._child_ended, 4096)
        except BlockingIOError:
            pass
        self._on_child()

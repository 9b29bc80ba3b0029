"""What the agent waits for: descriptors, children that end, and long work that is done in slices."""

import os
import select
import _signal as signal
from _collections import deque


class Loop:
    def __init__(self, has_children, on_child, on_turn):
        self._epoll = select.epoll()
        self._readers = {}
        self._writers = {}
        self._masks = {}
        self._slices = deque()
        self._read = self._on_read = None
        self._is_alone = False
        self._has_ended = False
        self._has_children = has_children
        self._on_child = on_child
        # Called at the end of a turn, before what comes next is waited for; answers for how many seconds, or -1.
        self._on_turn = on_turn
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        os.set_blocking(theirs, False)
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._on_signal)
        self._child_ended = ours
        self.watch(ours, self._reap)

    def watch_always(self, fd, read, on_read):
        """Reads a descriptor that is never unwatched. `read` waits, where nothing has come and nothing else is waited for."""
        self._read, self._on_read = read, on_read
        self.watch(fd, lambda: (read(), on_read()))
        self._least = len(self._masks)

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

    @property
    def has_slices(self):
        return bool(self._slices)

    def slice(self, work):
        """Goes through an iterator bit by bit, between other things."""
        self._slices.append(work)

    def run(self):
        while True:
            wait = self._on_turn()
            if wait < 0 and len(self._masks) == self._least and not self._slices and not self._has_children():
                self._is_alone = True
                if self._has_ended:
                    self._reap()
                # Without asking first, which is a system call of a guest that has slept: they take the longest.
                self._read()
                self._is_alone = False
                self._on_read()
                continue
            for fd, mask in self._epoll.poll(0 if self._slices else wait):
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

    def _on_signal(self, *_):
        self._has_ended = True
        if not self._is_alone:
            return
        # The host is waited for: it is one whom others have left behind, and nothing else is at work. Of those that end
        # meanwhile none comes in between.
        self._is_alone = False
        while self._has_ended:
            self._reap()
        self._is_alone = True

    def _reap(self):
        self._has_ended = False
        try:
            os.read(self._child_ended, 4096)
        except BlockingIOError:
            pass
        self._on_child()

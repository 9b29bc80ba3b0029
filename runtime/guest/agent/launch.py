"""Programs started as processes, each the leader of a session of its own."""

import os
import _signal as signal
import sys

# Python ignores some of these, and what is ignored stays so in what is started.
RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What Python's own subprocess module starts processes with: posix_spawn asks for the handlers of all 64 signals first,
# a system call each, which costs a millisecond in a sandbox. What it is given differs between versions.
try:
    from _posixsubprocess import fork_exec
except ImportError:
    fork_exec = None
if not (3, 11) <= sys.version_info < (3, 15):
    fork_exec = None


def launch(program, args, env, cwd, streams, lend):
    """
    Starts a program and answers its pid; it has begun when this returns. `lend` gives what makes the process the rights
    that it is to have. Raises OSError where it cannot.
    """
    if fork_exec is not None and streams.is_plain:
        return launch_plain(program, args, env, cwd, streams.stdio, lend)
    os.chdir(cwd)
    manner = {"file_actions": streams.actions, "setsid": True, "setsigdef": RESET_SIGNALS, "setsigmask": ()}
    try:
        return lend(lambda: os.posix_spawn(program, args, env, **manner))
    finally:
        os.chdir("/")


def launch_plain(program, args, env, cwd, stdio, lend):
    stdin, stdout, stderr = stdio
    variables = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in env.items()]
    failed, failing = os.pipe()
    try:
        streams = (stdin, -1, -1, stdout, -1, stderr, failed, failing)
        # The signals that Python ignores are reset, and a session is made; no rights change.
        manner = (True, True, -1, None, None, None, -1, None)
        # With vfork, as posix_spawn does it: the agent's memory is not copied.
        vfork = (True,) if sys.version_info < (3, 14) else ()
        what = (args, [os.fsencode(program)], False, (), cwd, variables)
        pid = lend(lambda: fork_exec(*what, *streams, *manner, *vfork))
        os.close(failing)
        failing = None
        failure = os.read(failed, 4096)
    finally:
        os.close(failed)
        if failing is not None:
            os.close(failing)
    if failure:
        os.waitpid(pid, 0)
        number = int(failure.split(b":")[1], 16)
        raise OSError(number, os.strerror(number))
    return pid

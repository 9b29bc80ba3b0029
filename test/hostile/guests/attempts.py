"""What each guest in Python begins with: it tries things, and tells what came of each as one line of JSON."""

import ctypes
import errno
import json
import os
import sys

saw = {}
libc = ctypes.CDLL(None, use_errno=True)


def attempt(name, act, *arguments):
    """Notes what an act answers, or by which error it was refused."""
    try:
        answer = act(*arguments)
        saw[name] = "done" if answer is None else answer
    except OSError as error:
        saw[name] = errno.errorcode.get(error.errno, str(error))
    except Exception as error:
        saw[name] = type(error).__name__


def call(function, *arguments):
    """Calls what C knows by a name; a negative answer is its errno."""
    ctypes.set_errno(0)
    answer = getattr(libc, function)(*arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), function)
    return "done"


def tell():
    print(json.dumps(saw), flush=True)



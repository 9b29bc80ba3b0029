"""Going once through a load and an invocation, so that the first real ones find everything imported."""

import os
import sys

from .handler import load_handler
from .task import write_task
from .values import decode_event, encode_answer

WARM_MODULE = "runlet_warm"
WARM_SOURCE = b"def handler(event, context):\n    return event\n"


def warm_up():
    """Leaves nothing behind, and does without where /tmp is read-only."""
    root = "/tmp/warm-%d" % os.getpid()
    file = WARM_MODULE + ".py"
    argv, path = sys.argv, list(sys.path)
    try:
        entries = [{"path": file, "mode": 0o644, "size": len(WARM_SOURCE)}]
        write_task(root, entries, WARM_SOURCE)
        handler = load_handler(root, entries, None)
        encode_answer(handler(decode_event(None, b'{"a":1}'), None))
        os.chdir(os.getcwd())
    except Exception:
        pass  # The first load is slower then.
    finally:
        sys.argv, sys.path[:] = argv, path
        sys.modules.pop(WARM_MODULE, None)
        sys.path_importer_cache.pop(root, None)
        remove(root, file)


def remove(root, file):
    try:
        os.unlink(os.path.join(root, file))
        os.rmdir(root)
    except OSError:
        pass

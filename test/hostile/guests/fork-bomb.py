import signal
import threading
import time

children = []


def fork():
    while len(children) < 10_000:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)


def threads():
    while threading.active_count() < 10_000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


attempt("fork", fork)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
attempt("thread", threads)
saw["forks"] = len(children)
saw["threads"] = threading.active_count()
tell()
os._exit(0)

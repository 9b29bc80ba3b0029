import signal
import time

for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.closerange(0, 256)
            while True:
                time.sleep(0.01)
        os._exit(0)
print("left", flush=True)

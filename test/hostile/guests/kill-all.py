import signal

child = os.fork()
if child == 0:
    signal.pause()
attempt("kill -1", os.kill, -1, signal.SIGKILL)
attempt("its child", lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
attempt("signals to groups of others", os.killpg, 2, signal.SIGKILL)
tell()

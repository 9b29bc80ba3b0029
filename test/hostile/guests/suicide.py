import signal

print("last words", flush=True)
os.kill(1, signal.SIGKILL)
signal.pause()

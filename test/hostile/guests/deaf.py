import signal

for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        pass
for _ in range(8):
    if os.fork() == 0:
        os.setsid()
        break
print("deaf", flush=True)
while True:
    pass

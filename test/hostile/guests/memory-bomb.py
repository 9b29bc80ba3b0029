print("bomb", flush=True)
held = []
while True:
    held.append(os.urandom(1024 * 1024))

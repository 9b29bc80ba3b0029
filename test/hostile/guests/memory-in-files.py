print("bomb", flush=True)
file = os.memfd_create("bomb")
while True:
    os.write(file, os.urandom(1024 * 1024))

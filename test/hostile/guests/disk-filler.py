def fill(path):
    with open(path, "wb", buffering=0) as file:
        for _ in range(1024):
            file.write(bytes(1024 * 1024))


for directory in ("/tmp", "/", "/usr/bin", "/etc", "/var/task", "/home/runlet", "/dev", "/dev/shm", "/proc", "/sys", "/run"):
    attempt(directory, fill, os.path.join(directory, "filler"))
tell()

descriptor = os.open("/proc/1/fd/1", os.O_WRONLY)
os.write(descriptor, b"garbage " * 100)

piece = b"flood\n" * 10_000
if os.fork() == 0:
    while True:
        os.write(1, piece)
while True:
    os.write(2, piece)

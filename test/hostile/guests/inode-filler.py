print("bomb", flush=True)
number = 0
while True:
    os.mkdir("/tmp/%d" % number)
    number += 1

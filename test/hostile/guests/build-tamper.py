import socket


def put(path):
    with open(path, "ab", buffering=0) as file:
        file.write(b"// tampered\n")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


manager = os.path.dirname(os.environ["npm_execpath"])
for path in (os.environ["npm_execpath"], manager + "/new", "/run/build/relay.mjs", "/var/task/package.json",
             "/var/task/greeting/index.mjs", "/usr/bin/node", os.environ["NODE_EXTRA_CA_CERTS"]):
    attempt("write " + path, put, path)
    attempt("open up " + path, os.chmod, path, 0o777)
for path in ("/var/task/greeting/index.mjs", "/run/build/net/proxy", "/run/build/relay.mjs"):
    attempt("remove " + path, os.remove, path)
    attempt("replace " + path, os.replace, "/tmp/build/package.json", path)
    attempt("link to " + path, os.link, path, "/tmp/linked" + os.path.basename(path))
attempt("move", os.rename, "/run/build/npm", "/run/build/other")
attempt("bind in net", make_socket, "/run/build/net/own")
attempt("mount", call, "mount", b"/tmp", b"/var/task", b"none", 4096, None)
attempt("unmount", call, "umount2", b"/var/task", 2)
tell()

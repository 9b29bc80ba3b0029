import socket
from urllib.parse import urlsplit

PLACES = json.loads(sys.argv[1])


def ask(line, path):
    """What a proxy answers, by its status."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(path)
        link.sendall(line.encode() + b"\r\nhost: x\r\n\r\n")
        return link.recv(64).decode().split(" ")[1]


targets = ["127.0.0.1:%d" % port for port in PLACES["loopback"]]
targets += ["%s:%d" % (host, PLACES["loopback"][0]) for host in PLACES["hosts"] + ["localhost", "[::1]", "0.0.0.0"]]
targets += ["169.254.169.254:80", "169.254.169.254", "metadata.google.internal:80", "2130706433:80", ""]
for target in targets:
    attempt("CONNECT " + target, ask, "CONNECT %s HTTP/1.1" % target, "/run/build/net/proxy")
    attempt("GET " + target, ask, "GET http://%s/latest/meta-data HTTP/1.1" % target, "/run/build/net/proxy")
tell()

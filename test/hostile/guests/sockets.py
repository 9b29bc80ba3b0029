import socket
from concurrent.futures import ThreadPoolExecutor

PORTS = json.loads(sys.argv[1])


def make(*arguments):
    socket.socket(*arguments).close()


def connect(host, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as link:
        link.settimeout(2)
        link.connect((host, port))


def datagram(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(1)
        link.sendto(b"?", (host, port))
        link.recv(1)


def to_path(path):
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)


def look_up(name):
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror:
        return "no name"


for name, arguments in {
    "icmp": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "raw ip": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    "vsock": (40, socket.SOCK_STREAM),
    "alg": (38, socket.SOCK_SEQPACKET),
}.items():
    attempt(name, make, *arguments)
targets = [("127.0.0.1", port) for port in PORTS["loopback"]]
targets += [(host, port) for host in PORTS["hosts"] for port in PORTS["loopback"]]
targets += [("169.254.169.254", 80), ("10.0.0.1", 80), ("8.8.8.8", 53), ("198.18.0.1", 53)]
with ThreadPoolExecutor(16) as pool:
    for host, port in targets:
        pool.submit(attempt, "%s:%d" % (host, port), connect, host, port)
    pool.submit(attempt, "::1", connect, "::1", PORTS["loopback"][0], socket.AF_INET6)
    pool.submit(attempt, "metadata over UDP", datagram, "169.254.169.254", 53)
    pool.submit(attempt, "name", look_up, "example.com")
for path in ("/run/docker.sock", "/run/systemd/private", "\0runlet", "/dev/log"):
    attempt("unix %r" % path, to_path, path)
tell()

"""As relay.mjs, for images that have Python. Usage: relay.py SOCKET COMMAND..."""

import os
import socket
import subprocess
import sys
import threading


def pump(source, target):
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def serve(server, path):
    while True:
        client, _ = server.accept()
        host = socket.socket(socket.AF_UNIX)
        try:
            host.connect(path)
        except OSError:
            client.close()
            continue
        for ends in ((client, host), (host, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(server, sys.argv[1]), daemon=True).start()
proxy = "http://127.0.0.1:%d" % server.getsockname()[1]
env = {**os.environ, "http_proxy": proxy, "https_proxy": proxy}
sys.exit(subprocess.call(sys.argv[2:], env=env))

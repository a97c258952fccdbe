"""The client of the servers on a Unix socket (docs/tutorial):
python3 examples/python/tutorial_unix_client.py [PATH]

Rust twin: examples/tutorial_unix_client.rs."""

import socket
import sys

from common import ask

path = sys.argv[1] if len(sys.argv) > 1 else "tutorial.sock"
with socket.socket(socket.AF_UNIX) as server:
    server.connect(path)
    server.sendall(ask(">>:"))
    # Marks the end of what the client sends. An empty line sends no bytes at all, and without this
    # mark the server would wait forever.
    server.shutdown(socket.SHUT_WR)
    answer = server.recv(1024)
    print("Clinet recive data:", answer.decode(errors="replace"))

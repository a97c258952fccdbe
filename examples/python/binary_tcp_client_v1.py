"""The first client of the tutorial: sends one line, prints the answer.

    python3 binary_tcp_client_v1.py [HOST:PORT]
"""

import socket

from common import address, ask

with socket.create_connection(address("localhost:6969")) as server:
    server.sendall(ask(">>:"))
    # That was all: without this, the server would wait for ever for an empty line.
    server.shutdown(socket.SHUT_WR)
    print(server.recv(1024).decode(errors="replace"))

"""The first client of the tutorial. It sends one line and prints the answer.

    python3 binary_tcp_client_v1.py [HOST:PORT]
"""

import socket

from common import address, ask

with socket.create_connection(address("localhost:6969")) as server:
    server.sendall(ask(">>:"))
    # Marks the end of what the client sends. An empty line sends no bytes at all, and without this
    # mark the server would wait forever.
    server.shutdown(socket.SHUT_WR)
    answer = server.recv(1024)
    print("Clinet recive data:", answer.decode(errors="replace"))

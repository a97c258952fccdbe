"""The second client of the tutorial. It sends one line after another, until an empty line.

    python3 binary_tcp_client_v2.py [HOST:PORT]
"""

import socket
import sys

from common import address, ask

with socket.create_connection(address("localhost:6969")) as server:
    while line := ask(">>:"):
        server.sendall(line)
        answer = server.recv(1024)
        if not answer:
            sys.exit("the server has closed the connection")
        print("Clinet recive data:", answer.decode(errors="replace"))

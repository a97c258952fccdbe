"""Talks to a server line by line, through a file made of the connection: sends each line of its
standard input, and prints the line that is the answer before it sends the next.

    python3 line_client.py HOST PORT
"""

import socket
import sys

PATIENCE = 60  # seconds, for each operation

host, port = sys.argv[1:]
with socket.create_connection((host, int(port)), PATIENCE) as server:
    with server.makefile("rwb") as file:
        for line in sys.stdin.buffer:
            file.write(line)
            file.flush()
            sys.stdout.buffer.write(file.readline())
        server.shutdown(socket.SHUT_WR)
        assert file.read() == b"", "more than was asked for"

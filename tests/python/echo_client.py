"""Sends its standard input to an echo server and writes what comes back to its standard output.

    python3 echo_client.py tcp HOST PORT
    python3 echo_client.py udp HOST PORT
    python3 echo_client.py unix PATH
    python3 echo_client.py unixgram PATH
"""

import os
import socket
import sys
import tempfile
import threading

PATIENCE = 60  # seconds, for each operation


def stream(server, data):
    """Sends while it receives, so that neither side has to store the data, until the server
    closes."""

    def send():
        server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    pieces = []
    while piece := server.recv(65536):
        pieces.append(piece)
    sender.join()
    return b"".join(pieces)


def datagram(server, data):
    """Sends all as one datagram and receives one."""
    server.send(data)
    return server.recv(65536)


def main(kind, *address):
    data = sys.stdin.buffer.read()
    family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
    is_stream = kind in ("tcp", "unix")
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(family, socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM) as server,
    ):
        server.settimeout(PATIENCE)
        if kind == "unixgram":
            # A datagram client without an address could not be answered.
            server.bind(os.path.join(directory, "client"))
        server.connect(address[0] if family == socket.AF_UNIX else (address[0], int(address[1])))
        echo = stream(server, data) if is_stream else datagram(server, data)
    sys.stdout.buffer.write(echo)


main(*sys.argv[1:])

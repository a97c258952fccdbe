"""A client of the chat room: sends the lines that you type, and prints what arrives (docs/tutorial):
python3 examples/python/tutorial_chat_client.py [ADDRESS]

Rust twin: examples/tutorial_chat_client.rs."""

import os
import socket
import sys
import threading

from common import address


def send_lines(server):
    """Sends the typed lines, until Ctrl-D."""
    while line := sys.stdin.buffer.readline():
        server.sendall(line)
    server.shutdown(socket.SHUT_WR)


with socket.create_connection(address("localhost:6969")) as server:
    threading.Thread(target=send_lines, args=[server]).start()
    for line in server.makefile("r"):
        print(line, end="")
# The other thread may still wait for a line.
os._exit(0)

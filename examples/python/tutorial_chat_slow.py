"""Two clients of the chat room: Bob does not read, and Ada sends many lines (docs/tutorial):
python3 examples/python/tutorial_chat_slow.py [ADDRESS]

Rust twin: examples/tutorial_chat_slow.rs."""

import socket
import sys

from common import address


def join(name):
    """Connects, answers the question, and reads the greeting."""
    client = socket.create_connection(address("localhost:6969"))
    reader = client.makefile("r")
    reader.readline()
    client.sendall(name.encode() + b"\n")
    reader.readline()
    return client, reader


ada, ada_reader = join("Ada")
bob, bob_reader = join("Bob")
print("Ada has received:", ada_reader.readline(), end="")

# 100 MB, which is more than the kernel buffers for both connections.
text = b"x" * 900 + b"\n"
ada.settimeout(3)
for _ in range(110_000):
    try:
        ada.sendall(text)
    except TimeoutError:
        print("Ada cannot send: the server has not read from her for 3 s")
        sys.exit()
print("Ada has sent all lines")

ada.shutdown(socket.SHUT_WR)
print("Ada has received:", ada_reader.read(), end="")
bob.close()

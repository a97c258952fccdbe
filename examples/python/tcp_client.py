"""Sends its arguments as one line and prints the answer. It is the client of tcp_server.py and
tcp_server_stream.py.

    python3 tcp_client.py [HOST:PORT] WORD...
"""

import socket

from common import address_and_words

server_address, words = address_and_words("localhost:9999")
data = " ".join(words)

with socket.create_connection(server_address) as server:
    server.sendall(data.encode())
    server.sendall(b"\n")
    received = server.recv(1024)

print("Sent:    ", data)
print("Received:", received.decode())

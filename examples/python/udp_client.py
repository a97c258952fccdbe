"""Sends its arguments as one datagram and prints the answer. It is the client of udp_server.py.

    python3 udp_client.py [HOST:PORT] WORD...
"""

import socket

from common import address_and_words

server_address, words = address_and_words("localhost:9999")
data = " ".join(words)

# UDP has no connections. connect() only sets the address for all later calls.
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect(server_address)
    sock.send(f"{data}\n".encode())
    received = sock.recv(1024)

print("Sent:    ", data)
print("Received:", received.decode())

"""Sends the header of a proxy, then talks TLS: prints what an echo server answers."""
import socket
import ssl
import sys

host, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=authority)
with socket.create_connection((host, port), 20) as sock:
    sock.sendall(b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n")
    with context.wrap_socket(sock, server_hostname="localhost") as tls:
        tls.sendall(b"hello\n")
        print(tls.recv(100).decode(), end="")

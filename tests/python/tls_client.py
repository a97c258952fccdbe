"""Sends a long line over TLS, prints the size of the answer, and fails if the server does not end in order."""
import socket, ssl, sys
host, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=authority)
with socket.create_connection((host, port), 20) as sock:
    with context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        tls.sendall(b"x" * 100000 + b"\n")
        data = b""
        while chunk := tls.recv(65536):
            data += chunk
        tls.unwrap()
print(len(data), tls.version() or "closed")

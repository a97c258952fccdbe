"""A TCP server that sends a line back in capitals, after the TCPServer example of Python's
documentation.

    python3 tcp_server.py [HOST:PORT]
"""

import socketserver

from common import address, announce


class MyTCPHandler(socketserver.BaseRequestHandler):
    """The server makes one handler for each client, so attributes belong to that client alone."""

    def handle(self):
        # One recv() is not one message, because a line may arrive in pieces. An empty piece means
        # that the client has sent everything.
        data = b""
        while b"\n" not in data and len(data) < 10_000:
            piece = self.request.recv(2000)
            if not piece:
                break
            data += piece
        print(f"Received from {self.client_address[0]}:")
        print(data)
        self.request.sendall(data.upper())


if __name__ == "__main__":
    asked = address("localhost:9999")
    with socketserver.TCPServer(asked, MyTCPHandler) as server:
        announce(asked, server.server_address)
        server.serve_forever()

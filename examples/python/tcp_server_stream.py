"""Does the same as tcp_server.py with a StreamRequestHandler, which reads from the client as from a
file.

    python3 tcp_server_stream.py [HOST:PORT]
"""

import socketserver

from common import address, announce


class MyTCPHandler(socketserver.StreamRequestHandler):
    def handle(self):
        # The limit protects the memory from a client that never ends its line.
        data = self.rfile.readline(10_000).rstrip()
        print(f"{self.client_address[0]} wrote:")
        print(data)
        self.wfile.write(data.upper())


if __name__ == "__main__":
    asked = address("localhost:9999")
    with socketserver.TCPServer(asked, MyTCPHandler) as server:
        announce(asked, server.server_address)
        server.serve_forever()

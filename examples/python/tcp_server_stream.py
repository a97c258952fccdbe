"""The same as tcp_server.py, but with a StreamRequestHandler, which reads from the client as from
a file.

    python3 tcp_server_stream.py [HOST:PORT]
"""

import socketserver

from common import address, announce


class MyTCPHandler(socketserver.StreamRequestHandler):
    def handle(self):
        # The limit keeps a client that never ends its line from filling the memory.
        data = self.rfile.readline(10_000).rstrip()
        print(f"{self.client_address[0]} wrote:")
        print(data.decode())
        self.wfile.write(data.upper())


if __name__ == "__main__":
    asked = address("localhost:9999")
    with socketserver.TCPServer(asked, MyTCPHandler) as server:
        announce(asked, server.server_address)
        server.serve_forever()

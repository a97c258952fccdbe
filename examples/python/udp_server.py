"""A UDP server that sends each datagram back in capitals, after the UDPServer example of Python's
documentation.

    python3 udp_server.py [HOST:PORT]
"""

import socketserver

from common import address, announce


class MyUDPHandler(socketserver.BaseRequestHandler):
    def handle(self):
        # UDP has no connections. The request is the packet and the server's socket, which sends the
        # answer.
        packet, socket = self.request
        data = packet.strip()
        print(f"{self.client_address[0]} wrote:")
        print(data)
        socket.sendto(data.upper(), self.client_address)


if __name__ == "__main__":
    asked = address("localhost:9999")
    with socketserver.UDPServer(asked, MyUDPHandler) as server:
        announce(asked, server.server_address)
        server.serve_forever()

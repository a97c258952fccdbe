r"""Several datagrams to one client, and one to another address.

strategies: plain threading pool forking

a connect
b connect
b send "<a>"
a packet
b packet
b packet
"""

import socketserver

import pair


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        packet, socket = self.request
        host, port = packet.decode().split(":")
        socket.sendto(b"hello", (host, int(port)))
        socket.sendto(b"one", self.client_address)
        socket.sendto(b"", self.client_address)


pair.serve(socketserver.UDPServer, Forward)

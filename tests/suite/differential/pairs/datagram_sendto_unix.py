r"""A datagram to another address, over Unix sockets.

a connect
b connect
b send "<a>"
a packet
b packet
"""

import socketserver

import pair


class Forward(socketserver.BaseRequestHandler):
    def handle(self):
        packet, socket = self.request
        socket.sendto(b"hello from " + self.client_address.encode(), packet.decode())
        socket.sendto(b"done", self.client_address)


pair.serve(socketserver.UnixDatagramServer, Forward)

r"""Rejected datagrams get no reply.

strategies: plain threading pool forking

a connect
b connect
a send "no"
b send "yes"
b packet
a send "yes"
a packet
"""

import socketserver

import pair


class Echo(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.packet)


class Server(socketserver.UDPServer):
    def verify_request(self, request, client_address):
        return request[0] != b"no"


pair.serve(Server, Echo)

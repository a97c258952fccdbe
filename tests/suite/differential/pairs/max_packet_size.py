r"""A datagram that is longer than max_packet_size is truncated.

strategies: plain threading pool forking

a connect
a send "1234"
a packet
a send "12345"
a packet
a send "123456789"
a packet
"""

import socketserver

import pair


class Echo(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.read())


class Server(socketserver.UDPServer):
    max_packet_size = 5


pair.serve(Server, Echo)

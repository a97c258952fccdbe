r"""UDP: each of three clients gets its line back before the first one sends another line.

strategies: plain threading pool forking

a connect
b connect
c connect
a send "hello\n"
a packet
b send "it's me\r\n"
b packet
c send "\x00\xff\n"
c packet
a send "again\n"
a packet
"""

import socketserver

import pair


class Echo(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


pair.serve(socketserver.UDPServer, Echo)

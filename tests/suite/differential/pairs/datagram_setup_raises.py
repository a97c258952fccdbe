r"""A datagram handler that fails in setup, and one that fails in finish: neither sends a reply.

a connect
a send "setup"
a send "finish"
a send "ping"
a packet
"""

import socketserver

import pair


class Fails(socketserver.DatagramRequestHandler):
    def setup(self):
        super().setup()
        if self.packet == b"setup":
            raise ValueError("not set up")

    def handle(self):
        self.wfile.write(self.packet)

    def finish(self):
        if self.packet == b"finish":
            raise ValueError("not finished")
        super().finish()


pair.serve(socketserver.UDPServer, Fails)

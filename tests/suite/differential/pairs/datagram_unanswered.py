r"""A handler that writes nothing: Python sends an empty datagram.

a connect
a send "psst"
a send "ping"
a until "ping"
    python: b"" b"ping"
    rust: b"ping"
"""

import socketserver

import pair


class Quiet(socketserver.DatagramRequestHandler):
    def handle(self):
        if self.packet != b"psst":
            self.wfile.write(self.packet)


pair.serve(socketserver.UDPServer, Quiet)

r"""A handler that fails in the middle of its reply: Python sends the first part. Both report it.

a connect
a send "bad"
a send "ping"
a until "ping"
    python: b"bad" b"ping"
    rust: b"ping"
"""

import socketserver

import pair


class Fails(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(self.packet)
        if self.packet == b"bad":
            raise ValueError("too bad")


pair.serve(socketserver.UDPServer, Fails)

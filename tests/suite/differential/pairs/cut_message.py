r"""A client that disconnects in the middle of a message: in Python the message is shorter.

a connect
a send "12345678abc"
a recv 8
a shutdown
a eof
    python: b"abc" end
    rust: b"" end
"""

import socketserver

import pair


class Eights(socketserver.StreamRequestHandler):
    def handle(self):
        while message := self.rfile.read(8):
            self.wfile.write(message)


pair.serve(socketserver.TCPServer, Eights)

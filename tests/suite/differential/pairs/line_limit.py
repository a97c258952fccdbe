r"""A line that is longer than the limit is read in pieces.

a connect
a send "123456789\n12345\n1234\n"
a shutdown
a eof
"""

import socketserver

import pair


class Pieces(socketserver.StreamRequestHandler):
    def handle(self):
        while piece := self.rfile.readline(5):
            self.wfile.write(b"<" + piece + b">")


pair.serve(socketserver.TCPServer, Pieces)

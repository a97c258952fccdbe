r"""A reply of a mebibyte to a client that begins to read after another client was served.

strategies: threading pool forking

a connect
a send "1048576\n"
b connect
b send "1000\n"
b eof
a eof
"""

import socketserver

import pair


class Many(socketserver.StreamRequestHandler):
    def handle(self):
        size = int(self.rfile.readline())
        self.wfile.write(bytes(n % 251 for n in range(size)))


pair.serve(socketserver.TCPServer, Many)

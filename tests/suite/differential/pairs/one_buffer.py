r"""Data that was read ahead with a line: in Python recv does not return it.

a connect
a send "line\nrest"
a shutdown
a eof
    python: b"line\n" end
    rust: b"line\nrest" end
"""

import socketserver

import pair


class Mixed(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
        self.request.sendall(self.request.recv(1024))


pair.serve(socketserver.TCPServer, Mixed)

r"""A panic of a handler is reported like an exception; the server continues.

strategies: plain threading pool forking

a connect
a send "panic\n"
a eof
b connect
b send "hello\n"
b eof
"""

import socketserver

import pair


class Panics(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        self.wfile.write(line)
        if line == b"panic\n":
            raise RuntimeError("no towel")


pair.serve(socketserver.TCPServer, Panics)

r"""A client that has shut down its sending side still gets its reply, over a Unix socket.

strategies: plain threading pool forking

a connect
a send "some"
a send " text"
a shutdown
a eof
b connect
b send "x" * 1048576
b shutdown
b eof
"""

import socketserver

import pair


class Count(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"%d bytes\n" % len(self.rfile.read()))


pair.serve(socketserver.UnixStreamServer, Count)

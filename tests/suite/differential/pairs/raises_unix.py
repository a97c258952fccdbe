r"""An error in the middle of a reply, over a Unix socket: for an unnamed client and a named one.

strategies: plain threading pool forking

a connect
a send "x\n"
a eof
b connect named
b send "x\n"
b eof
"""

import socketserver

import pair


class Fails(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"half of ")
        raise ValueError("the other half is missing")


pair.serve(socketserver.UnixStreamServer, Fails)

r"""A handler that leaves input unread: Python resets the connection of a Unix client.

a connect
a send "12345"
# Once b is served, the connection of a is closed. Before that, its end would look orderly.
b connect
b send "1"
b eof
a eof
    python: b"bye\n" ConnectionReset
    rust: b"bye\n" end
"""

import socketserver

import pair


class Impatient(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        self.request.sendall(b"bye\n")


pair.serve(socketserver.UnixStreamServer, Impatient)

r"""A handler that leaves input unread: a TCP client gets a short reply, and an orderly end.

strategies: plain threading pool forking

a connect
a send "12345"
a eof
"""

import socketserver

import pair


class Impatient(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)
        self.request.sendall(b"bye\n")


pair.serve(socketserver.TCPServer, Impatient)

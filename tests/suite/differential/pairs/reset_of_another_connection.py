r"""A reset of a connection to another peer than the client is an ordinary error.

a connect
a eof
"""

import socketserver

import pair


class Fails(socketserver.BaseRequestHandler):
    def handle(self):
        raise ConnectionResetError("the database is gone")


pair.serve(socketserver.TCPServer, Fails)

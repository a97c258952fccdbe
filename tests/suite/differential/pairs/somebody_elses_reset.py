r"""A connection to somebody else that is reset is an error like any other.

a connect
a eof
"""

import socketserver

import pair


class Fails(socketserver.BaseRequestHandler):
    def handle(self):
        raise ConnectionResetError("the database is gone")


pair.serve(socketserver.TCPServer, Fails)

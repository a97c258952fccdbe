r"""An error with a cause: both are reported.

a connect
a eof
"""

import socketserver

import pair


class Fails(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            int("x")
        except ValueError:
            raise RuntimeError("no number") from ValueError("it is x")


pair.serve(socketserver.TCPServer, Fails)

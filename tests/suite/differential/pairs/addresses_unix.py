r"""The address of a Unix client: a path if it is bound to one, otherwise empty.

strategies: plain threading pool forking

a connect
a eof
b connect named
b eof
"""

import socketserver

import pair


class ShowAddresses(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(f"({self.client_address})\n".encode())


pair.serve(socketserver.UnixStreamServer, ShowAddresses)

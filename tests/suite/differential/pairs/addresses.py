r"""The addresses of the client and of the server, as a TCP handler sees them.

strategies: plain threading pool forking

a connect
a eof
b connect
b eof
"""

import socketserver

import pair


class ShowAddresses(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(f"{self.client_address}, {self.server.server_address}\n".encode())


pair.serve(socketserver.TCPServer, ShowAddresses)

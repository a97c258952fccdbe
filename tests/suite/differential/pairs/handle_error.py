r"""A custom handle_error gets the client and the error, and nothing else is printed.

strategies: plain threading pool forking

a connect
a send "hello\n"
a eof
server stdout
"""

import socketserver
import sys

import pair


class Fails(socketserver.StreamRequestHandler):
    def handle(self):
        raise ValueError(self.rfile.readline().decode().strip() + " yourself")


class Server(socketserver.TCPServer):
    def handle_error(self, request, client_address):
        print(client_address, "said:", sys.exc_info()[1])
        request.sendall(b"sorry\n")


pair.serve(Server, Fails)

r"""A handler that shuts down the connection before it returns.

a connect
a send "hello\n"
a eof
server prints "still here\n"
"""

import socket
import socketserver

import pair


class Ends(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
        self.request.shutdown(socket.SHUT_RDWR)
        print("then", self.rfile.readline())
        print("still here")


pair.serve(socketserver.TCPServer, Ends)

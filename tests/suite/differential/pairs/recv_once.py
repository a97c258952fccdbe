r"""A handler that receives once and replies: one message for each connection.

strategies: plain threading pool forking

a connect
a send "hello"
a recv 5
a eof
# A client that sends nothing.
b connect
b shutdown
b eof
"""

import socketserver

import pair


class Once(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request.recv(1024)
        print("received", data)
        self.request.sendall(data.upper())


pair.serve(socketserver.TCPServer, Once)

r"""A handler that receives until the client closes its connection or shuts down its sending side.

strategies: plain threading pool forking

a connect
a send "hello"
a recv 5
a send "x" * 1000
a recv 1000
a shutdown
a eof
b connect
b send "again"
b recv 5
b close
server prints "left\n"
server prints "left\n"
"""

import socketserver

import pair


class Loop(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            self.request.sendall(data.upper())
        print("left")


pair.serve(socketserver.TCPServer, Loop)

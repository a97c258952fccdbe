r"""The server is closed at the end of the block: clients cannot connect.

a connect
a send "hello\n"
a eof
server prints "closed\n"
b connect
server input
server ends
"""

import socketserver
import sys

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    server.handle_request()
print("closed")
sys.stdin.read()

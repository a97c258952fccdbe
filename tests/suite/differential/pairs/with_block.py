r"""At the end of the block the server is closed: clients are refused.

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

r"""The port of a server that was closed while a child process was busy: in Python the child process
keeps it.

a connect
server prints "serving\n"
server input
server prints "again\n"
a send "hello\n"
a eof
server ends
server stdout
    python: serving
    python: closed
    python: [Errno 98] Address already in use
    python: tried again
    rust: serving
    rust: closed
    rust: tried again
"""

import socketserver
import sys

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving")
        self.wfile.write(self.rfile.readline())


class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    block_on_close = False


with pair.bind(Server, Echo) as server:
    pair.announce(server)
    server.handle_request()
    sys.stdin.read()
print("closed")
try:
    Server(server.server_address, Echo).server_close()
except OSError as error:
    print(error)
print("tried again")

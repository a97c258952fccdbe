r"""A SystemExit in a handler ends Python's server; no error has this effect here.

a connect
a eof
server ends
    python: exit 3
    rust: exit 0
server stdout
    python: nothing
    rust: served
server stderr
    python: nothing
    rust: from <a>: handle: exit 3
"""

import socketserver
import sys

import pair


class Exits(socketserver.BaseRequestHandler):
    def handle(self):
        sys.exit(3)


with pair.bind(socketserver.TCPServer, Exits) as server:
    pair.announce(server)
    server.handle_request()
    print("served")

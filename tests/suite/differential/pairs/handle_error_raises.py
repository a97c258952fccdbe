r"""A handle_error that raises: it ends Python's server; here only the request fails.

a connect
a eof
server ends
    python: exit 1
    rust: exit 0
server stdout
    python: nothing
    rust: served
server stderr
    python: uncaught: in handle
    python: uncaught: in handle_error
    rust: nothing
"""

import socketserver

import pair


class Fails(socketserver.BaseRequestHandler):
    def handle(self):
        raise ValueError("in handle")


class Server(socketserver.TCPServer):
    def handle_error(self, request, client_address):
        raise ValueError("in handle_error")


with pair.bind(Server, Fails) as server:
    pair.announce(server)
    server.handle_request()
    print("served")

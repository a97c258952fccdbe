r"""A verify_request that raises: it ends Python's server; here only the request fails.

a connect
a eof
server ends
    python: exit 1
    rust: exit 0
server stdout
    python: nothing
    rust: served
server stderr
    python: uncaught: not today
    rust: from <a>: verify_request: not today
"""

import socketserver

import pair


class Server(socketserver.TCPServer):
    def verify_request(self, request, client_address):
        raise ValueError("not today")


with pair.bind(Server, socketserver.BaseRequestHandler) as server:
    pair.announce(server)
    server.handle_request()
    print("served")

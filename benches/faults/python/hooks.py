"""A TCP server, one request at a time, that sends back one line.

One of its hooks fails for the first client.
"""

import argparse
import socketserver

import lifecycle

parser = argparse.ArgumentParser()
parser.add_argument("--address", type=lifecycle.address, default=("127.0.0.1", 0))
parser.add_argument("--fail-in", choices=["verify_request", "handle_error"], required=True)
arguments = parser.parse_args()


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        if self.server.is_first("handle_error"):
            raise ValueError("failure in the handler")
        self.wfile.write(self.rfile.readline(1000))


class Server(socketserver.TCPServer):
    first = True

    def is_first(self, hook):
        first = self.first and arguments.fail_in == hook
        self.first = self.first and not first
        return first

    def verify_request(self, request, client_address):
        if self.is_first("verify_request"):
            raise ValueError("failure in verify_request")
        return True

    def handle_error(self, request, client_address):
        raise ValueError("failure in handle_error")


lifecycle.run(Server(arguments.address, Echo))

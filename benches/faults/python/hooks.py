"""A sequential TCP server that sends back one line, and that has a hook with a mistake in it, which
shows with the first client."""

import argparse
import socketserver

import life

parser = argparse.ArgumentParser()
parser.add_argument("--address", type=life.address, default=("127.0.0.1", 0))
parser.add_argument("--mistake-in", choices=["verify_request", "handle_error"], required=True)
arguments = parser.parse_args()


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        if self.server.is_first("handle_error"):
            raise ValueError("the handler fails")
        self.wfile.write(self.rfile.readline(1000))


class Server(socketserver.TCPServer):
    first = True

    def is_first(self, hook):
        first = self.first and arguments.mistake_in == hook
        self.first = self.first and not first
        return first

    def verify_request(self, request, client_address):
        if self.is_first("verify_request"):
            raise ValueError("a mistake in verify_request")
        return True

    def handle_error(self, request, client_address):
        raise ValueError("a mistake in handle_error")


life.run(Server(arguments.address, Echo))

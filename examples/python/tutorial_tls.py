"""The server that greets, over TLS (docs/tutorial).

    python3 tutorial_tls.py [HOST:PORT [CERTIFICATE KEY]]
"""

import socketserver
import ssl
import sys

from common import address

context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(*(sys.argv[2:] or ["cert.pem", "key.pem"]))


class Greeting(socketserver.StreamRequestHandler):
    def handle(self):
        name = self.rfile.readline(1000).decode(errors="replace").strip()
        version = self.request.version()
        self.wfile.write(f"hello, {name}, over {version}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def get_request(self):
        connection, client = super().get_request()
        return context.wrap_socket(connection, server_side=True), client


with Server(address("localhost:6969"), Greeting) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

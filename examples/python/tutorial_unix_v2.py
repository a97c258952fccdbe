"""The server on a Unix socket that only its own user can reach (docs/tutorial):
python3 examples/python/tutorial_unix_v2.py [PATH]

Rust twin: examples/tutorial_unix_v2.rs."""

import os
import socketserver
import sys

from common import with_ctime


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request.recv(1024)
        print("received", data)
        self.request.sendall(with_ctime(data))


class Server(socketserver.UnixStreamServer):
    def server_bind(self):
        try:
            os.unlink(self.server_address)
        except FileNotFoundError:
            pass
        super().server_bind()
        os.chmod(self.server_address, 0o600)


path = sys.argv[1] if len(sys.argv) > 1 else "tutorial.sock"
with Server(path, Answer) as server:
    print("listening on", server.server_address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

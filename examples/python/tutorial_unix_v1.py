"""The server that answers, on a Unix socket (docs/tutorial):
python3 examples/python/tutorial_unix_v1.py [PATH]

Rust twin: examples/tutorial_unix_v1.rs."""

import socketserver
import sys

from common import with_ctime


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request.recv(1024)
        print("received", data)
        self.request.sendall(with_ctime(data))


path = sys.argv[1] if len(sys.argv) > 1 else "tutorial.sock"
with socketserver.UnixStreamServer(path, Answer) as server:
    print("listening on", server.server_address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

r"""A client that does not read: the write timeout expires. The message here has more details.

strategies: plain threading pool forking

a connect
server prints "timed out\n"
server stderr
    python: from <a>: handle: timed out
    rust: from <a>: handle: timed out: the client did not take all of a write within 100ms (...
"""

import socketserver

import pair


class Talkative(socketserver.StreamRequestHandler):
    timeout = 0.1

    def handle(self):
        try:
            self.wfile.write(b"x" * 100_000_000)
        finally:
            print("timed out")


pair.serve(socketserver.TCPServer, Talkative)

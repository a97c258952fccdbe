r"""A TCP client that disconnects before its reply: Python reports it as an error of the handler.

strategies: plain threading pool forking

a connect
a send "hello\n"
server prints "waiting\n"
a close
server input
server stderr
    python: from <a>: handle: nobody is there
    rust: nothing
"""

import socketserver
import sys

import pair


class Slow(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        print("waiting")
        sys.stdin.read()
        # The reply to the first segment reports that the connection is closed.
        try:
            for _ in range(100_000):
                self.wfile.write(line)
        except ConnectionError:
            # EPIPE or ECONNRESET, depending on timing.
            raise ConnectionError("nobody is there") from None
        print("never printed")


pair.serve(socketserver.TCPServer, Slow)

r"""A TCP client that leaves before its answer: Python reports it as an error of the server's.

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
        # What answers the first says that nobody is there.
        try:
            for _ in range(100_000):
                self.wfile.write(line)
        except ConnectionError:
            # Whether it is EPIPE or ECONNRESET is a matter of time.
            raise ConnectionError("nobody is there") from None
        print("never printed")


pair.serve(socketserver.TCPServer, Slow)

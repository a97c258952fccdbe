r"""A Unix client that disconnects before its reply: Python reports it as an error of the handler.

strategies: plain threading pool forking

a connect named
a send "hello\n"
server prints "waiting\n"
a close
server input
server stderr
    python: from <a>: handle: [Errno 32] Broken pipe
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
        self.wfile.write(line)
        print("never printed")


pair.serve(socketserver.UnixStreamServer, Slow)

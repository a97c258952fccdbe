r"""A Unix client that is closed before its reply: an error in Python, a disconnect in Rust.

a connect
a send "wait"
server prints "waiting\n"
a close
server input
b connect
b send "ping"
b packet
server stderr
    python: from <a>: finish: [Errno 111] Connection refused
    rust: nothing
"""

import socketserver
import sys

import pair


class Slow(socketserver.DatagramRequestHandler):
    def handle(self):
        if self.packet == b"wait":
            print("waiting")
            sys.stdin.read()
        self.wfile.write(self.packet)


pair.serve(socketserver.UnixDatagramServer, Slow)

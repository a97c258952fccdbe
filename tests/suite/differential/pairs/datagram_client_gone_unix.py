r"""A Unix client that is closed before its reply: an error in both, with different texts.

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
    rust: from <a>: the reply: Connection refused (os error 111)
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

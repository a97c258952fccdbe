r"""A UDP client that is closed before its reply: no error is reported.

a connect
a send "wait"
server prints "waiting\n"
a close
server input
b connect
b send "ping"
b packet
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


pair.serve(socketserver.UDPServer, Slow)

r"""A server that stops and serves again: a client that connects in between waits.

a connect
a send "stop\n"
a eof
server prints "stopped\n"
b connect
b send "hello\n"
server input
b eof
c connect
c send "stop\n"
c eof
server ends
"""

import socketserver
import sys

import pair


class Stop(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        if line == b"stop\n":
            self.server.shutdown()
        self.wfile.write(line)


with pair.bind(socketserver.ThreadingTCPServer, Stop) as server:
    pair.announce(server)
    server.serve_forever(poll_interval=0.01)
    print("stopped")
    sys.stdin.read()
    server.serve_forever(poll_interval=0.01)
    print("stopped")

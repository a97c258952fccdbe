r"""A shutdown after serve_forever has returned: it ends the next run of Python's server.

a connect
a send "stop\n"
a eof
server prints "stopped\n"
b connect
b send "stop\n"
server input
b eof
    python: b"" ConnectionReset
    rust: b"stop\n" end
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
    server.shutdown()
    print("stopped")
    sys.stdin.read()
    server.serve_forever(poll_interval=0.01)
    print("stopped again")

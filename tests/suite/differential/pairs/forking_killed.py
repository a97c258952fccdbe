r"""A child process that is killed: its client reads the end, and the server continues.

a connect
a send "die\n"
a eof
b connect
b send "live\n"
b eof
"""

import os
import signal
import socketserver

import pair


class Fragile(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        self.wfile.write(line)
        if line == b"die\n":
            os.kill(os.getpid(), signal.SIGKILL)
        self.wfile.write(b"well\n")


pair.serve(socketserver.ForkingTCPServer, Fragile)

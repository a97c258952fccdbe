r"""Errors in one stage and in two stages: data that was sent before arrives, the same later
stages run, and handle_error reports the errors.

strategies: plain threading pool forking

a connect
a send "\n"
a eof
b connect
b send "setup\n"
b eof
c connect
c send "handle\n"
c eof
d connect
d send "finish\n"
d eof
e connect
e send "handle finish\n"
e eof
# The server continues.
f connect
f send "\n"
f eof
"""

import socketserver

import pair


class Fails(socketserver.StreamRequestHandler):
    def setup(self):
        super().setup()
        self.stages = self.rfile.readline()
        self.pass_through(b"setup")

    def handle(self):
        self.pass_through(b"handle")

    def finish(self):
        self.pass_through(b"finish")
        super().finish()

    def pass_through(self, stage):
        self.wfile.write(stage + b"\n")
        if stage in self.stages:
            raise ValueError("no " + stage.decode())


pair.serve(socketserver.TCPServer, Fails)

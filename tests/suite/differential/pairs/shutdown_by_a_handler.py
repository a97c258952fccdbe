r"""A handler that stops its threading server: it can still reply, and so can another handler.

a connect
b connect
b send "stop\n"
b eof
server prints "stopped\n"
a send "hello\n"
a eof
server ends
"""

import socketserver

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
print("closed")

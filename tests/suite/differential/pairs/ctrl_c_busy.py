r"""Ctrl-C while a sequential server serves a client: it is force-closed, and finish runs.

a connect
a send "hel"
server prints "serving\n"
server SIGINT
a eof
server ends
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving")
        self.wfile.write(self.rfile.readline())
        print("never printed")

    def finish(self):
        print("finish")
        super().finish()


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("bye")

r"""State of the server that its handlers share.

strategies: plain threading pool

a connect
a eof
b connect
b eof
c connect
c eof
"""

import socketserver

import pair


class Visit(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.visits += 1
        self.wfile.write(b"visit %d\n" % self.server.visits)


class Server(socketserver.TCPServer):
    visits = 0


pair.serve(Server, Visit)

r"""Changes in a child process do not affect the next child process or the server.

a connect
a eof
b connect
b eof
"""

import socketserver

import pair


class Visit(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.visits.append(self.client_address)
        self.wfile.write(b"visit %d\n" % len(self.server.visits))


class Server(socketserver.ForkingTCPServer):
    visits = []


pair.serve(Server, Visit)
print(Server.visits)

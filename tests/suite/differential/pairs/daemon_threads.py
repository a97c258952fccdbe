r"""Ctrl-C while a daemon thread, for which the close does not wait, serves a client.

a connect
server prints "serving\n"
server SIGINT
server ends
a eof
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving")
        self.wfile.write(self.rfile.readline())
        print("never printed")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with pair.bind(Server, Echo) as server:
    pair.announce(server)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("bye")

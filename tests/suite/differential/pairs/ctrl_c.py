r"""Ctrl-C ends serve_forever; the program then continues to its end.

a connect
a send "hello\n"
a eof
server SIGINT
server ends
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("bye")

r"""Ctrl-C ends a program that does not handle it; Python prints a traceback.

a connect
a send "hello\n"
a eof
server SIGINT
server ends
server stderr
    python: uncaught: KeyboardInterrupt
    rust: nothing
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    server.serve_forever()
print("never printed")

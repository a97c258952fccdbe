r"""The socket file of a Unix server remains when the server is closed, and the next bind fails.

a connect
a send "hello\n"
a eof
server ends
server stderr
    python: uncaught: [Errno 98] Address already in use
    rust: uncaught: cannot bind to <server> (a server that has ended left this file: ...
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.UnixStreamServer, Echo) as server:
    pair.announce(server)
    server.handle_request()
print("closed")
pair.bind(socketserver.UnixStreamServer, Echo)

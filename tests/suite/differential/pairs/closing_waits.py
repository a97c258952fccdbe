r"""server_close waits for a running request.

strategies: threading pool forking

a connect
server prints "closing\n"
a send "hello\n"
a eof
server ends
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        print("served")
        self.wfile.write(line)


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    server.handle_request()
    print("closing")
print("closed")

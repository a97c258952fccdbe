r"""handle_request serves two requests, then its timeout expires.

a connect
a send "one\n"
a eof
b connect
b send "two\n"
b eof
server ends
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


class Server(socketserver.TCPServer):
    def handle_timeout(self):
        print("nobody came")


with pair.bind(Server, Echo) as server:
    pair.announce(server)
    for number in range(2):
        server.handle_request()
        print("request", number)
    server.timeout = 0.1
    server.handle_request()
    print("done")

r"""A rejected client reads the end without any data; the next one is served.

strategies: plain threading pool forking

a connect
a send "hello\n"
a eof
b connect
b eof
c connect
c send "hello\n"
c eof
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


class Server(socketserver.TCPServer):
    clients = 0

    def verify_request(self, request, client_address):
        self.clients += 1
        print("verifying", client_address)
        return self.clients != 2


pair.serve(Server, Echo)

r"""A custom process_request that cannot run some requests: handle_error is called.

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

    def process_request(self, request, client_address):
        self.clients += 1
        if self.clients == 2:
            raise ValueError("no room")
        super().process_request(request, client_address)


pair.serve(Server, Echo)

r"""service_actions is called after a failed request, and after a rejected one.

a connect
a send "fail\n"
a eof
server prints "after it\n"
b connect
b eof
server prints "after it\n"
"""

import socketserver

import pair


class Fails(socketserver.StreamRequestHandler):
    def handle(self):
        raise ValueError(self.rfile.readline().decode().strip())


class Server(socketserver.TCPServer):
    clients = 0
    news = False

    def verify_request(self, request, client_address):
        self.clients += 1
        self.news = True
        print("client", self.clients)
        return self.clients == 1

    def service_actions(self):
        if self.news:
            print("after it")
        self.news = False


pair.serve(Server, Fails)

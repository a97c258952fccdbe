r"""The order of verify_request, setup, handle and finish, for a request that succeeds and one that
fails.

strategies: plain threading pool forking

a connect
a send "\n"
a eof
b connect
b send "fail\n"
b eof
"""

import socketserver

import pair


class Talks(socketserver.StreamRequestHandler):
    def setup(self):
        print("setup")
        super().setup()

    def handle(self):
        print("handle")
        line = self.rfile.readline()
        self.wfile.write(b"ok\n")
        if line == b"fail\n":
            raise ValueError("as you wish")
        print("handled")

    def finish(self):
        print("finish")
        super().finish()


class Server(socketserver.TCPServer):
    def verify_request(self, request, client_address):
        print("verify_request")
        return True


pair.serve(Server, Talks)

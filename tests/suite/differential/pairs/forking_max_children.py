r"""At max_children, the next client waits for the end of a child process.

a connect
b connect
b send "b\n"
a send "a\n"
a eof
b eof
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving", self.client_address)
        self.wfile.write(self.rfile.readline())
        print("served", self.client_address)


class Server(socketserver.ForkingTCPServer):
    max_children = 1


pair.serve(Server, Echo)

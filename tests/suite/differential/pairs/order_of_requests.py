r"""Two clients of a server that serves one at a time: the second waits for the first.

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


pair.serve(socketserver.TCPServer, Echo)

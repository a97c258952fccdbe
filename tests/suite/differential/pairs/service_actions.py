r"""service_actions is called after each request, before the next one is accepted.

a connect
a send "one\n"
a eof
server prints "after one\n"
b connect
c connect
c send "three\n"
b send "two\n"
b eof
c eof
server prints "after three\n"
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        self.server.served.append(line.decode().strip())
        self.wfile.write(line)


class Server(socketserver.TCPServer):
    served = []

    def service_actions(self):
        while self.served:
            print("after", self.served.pop())


pair.serve(Server, Echo)

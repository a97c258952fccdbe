r"""TCP over IPv6: a client gets its line back; its address has four parts, in a report too.

needs: IPv6

a connect
a send "hello\n"
a eof
b connect
b send "\n"
b eof
"""

import socket
import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print(self.client_address)
        line = self.rfile.readline()
        if line == b"\n":
            raise ValueError("an empty line")
        self.wfile.write(line)


class Server(socketserver.TCPServer):
    address_family = socket.AF_INET6


pair.serve(Server, Echo)

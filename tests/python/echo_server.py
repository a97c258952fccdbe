"""An echo server of Python's socketserver, of each kind.

    python3 echo_server.py tcp
    python3 echo_server.py udp
"""

import socketserver
import sys


class TCPEcho(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class UDPEcho(socketserver.BaseRequestHandler):
    def handle(self):
        data, socket = self.request
        socket.sendto(data, self.client_address)


class UDPServer(socketserver.ThreadingUDPServer):
    max_packet_size = 65536


address = "127.0.0.1", 0
if sys.argv[1] == "tcp":
    server = socketserver.ThreadingTCPServer(address, TCPEcho)
else:
    server = UDPServer(address, UDPEcho)
with server:
    print("listening on {}:{}".format(*server.server_address))
    server.serve_forever()

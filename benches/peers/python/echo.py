"""Echo servers with CPython's socketserver.

usage: echo.py ThreadingTCPServer|ForkingTCPServer|UDPServer|ThreadingUDPServer
"""

import ctypes
import signal
import socket
import socketserver
import sys

BUFFER_SIZE = 64 * 1024
PR_SET_PDEATHSIG = 1


class StreamEcho(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        while data := self.request.recv(BUFFER_SIZE):
            self.request.sendall(data)


class DatagramEcho(socketserver.BaseRequestHandler):
    def handle(self):
        data, server_socket = self.request
        server_socket.sendto(data, self.client_address)


class ThreadingTCPServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True  # non-daemon threads are kept in a list that grows
    request_queue_size = socket.SOMAXCONN  # the default of 5 is too small for the load


class ForkingTCPServer(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = socket.SOMAXCONN


class UDPServer(socketserver.UDPServer):
    max_packet_size = BUFFER_SIZE


class ThreadingUDPServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = BUFFER_SIZE


SERVERS = {
    "ThreadingTCPServer": (ThreadingTCPServer, StreamEcho),
    "ForkingTCPServer": (ForkingTCPServer, StreamEcho),
    "UDPServer": (UDPServer, DatagramEcho),
    "ThreadingUDPServer": (ThreadingUDPServer, DatagramEcho),
}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SERVERS:
        sys.exit(__doc__)
    server_class, handler_class = SERVERS[sys.argv[1]]

    # The kernel kills this process when the runner is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    with server_class(("127.0.0.1", 0), handler_class) as server:
        host, port = server.server_address
        print(f"listening on {host}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()

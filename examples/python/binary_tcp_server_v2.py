"""The second server of the tutorial, with a plain socket. It serves one client after another, each
until it closes.

    python3 binary_tcp_server_v2.py [HOST:PORT]
"""

import socket
import sys

from common import address, with_ctime


def serve_forever(server):
    while True:
        print("waiting connection...")
        request, client_address = server.accept()
        with request:
            while data := request.recv(1024):
                print("Server recive data:", data)
                request.sendall(with_ctime(data))
        print("clinet has broken the connection...")


with socket.create_server(address("localhost:6969")) as server:
    print("listening on {}:{}".format(*server.getsockname()), file=sys.stderr)
    try:
        serve_forever(server)
    except KeyboardInterrupt:
        pass

"""The first server of the tutorial, with a plain socket. It serves one client and one message.

    python3 binary_tcp_server_v1.py [HOST:PORT]
"""

import socket
import sys

from common import address, with_ctime

with socket.create_server(address("localhost:6969")) as server:
    print("listening on {}:{}".format(*server.getsockname()), file=sys.stderr)
    print("waiting connection...")
    request, client_address = server.accept()
    with request:
        data = request.recv(1024)
        print("Server recive data:", data)
        request.sendall(with_ctime(data))

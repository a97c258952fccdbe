"""The first server of the tutorial, with a bare socket: one client, one message.

    python3 binary_tcp_server_v1.py [HOST:PORT]
"""

import socket

from common import address, with_ctime

with socket.create_server(address("localhost:6969")) as server:
    print("listening on {}:{}".format(*server.getsockname()))
    request, client_address = server.accept()
    with request:
        data = request.recv(1024)
        print("Server recive data:", data)
        request.sendall(with_ctime(data))

"""The server of the tutorial with datagrams instead of connections (docs/tutorial).

    python3 tutorial_udp.py [HOST:PORT]
"""

import socketserver

from common import address, with_ctime


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        data, socket = self.request
        print("{}:{}: {}".format(*self.client_address, data))
        answer = with_ctime(data.strip())
        socket.sendto(answer, self.client_address)


with socketserver.UDPServer(address("localhost:6969"), Answer) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

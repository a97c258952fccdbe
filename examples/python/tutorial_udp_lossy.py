"""A datagram server that sends every second answer only (docs/tutorial):
python3 examples/python/tutorial_udp_lossy.py [ADDRESS]

Rust twin: examples/tutorial_udp_lossy.rs."""

import socketserver

from common import address, with_ctime

requests = 0


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        global requests
        data, socket = self.request
        print(f"executing {data}")
        requests += 1
        if requests % 2 == 1:
            print("the answer is lost")
        else:
            socket.sendto(with_ctime(data), self.client_address)


with socketserver.UDPServer(address("localhost:6969"), Answer) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

"""The server of the tutorial and two ways to stop it (docs/tutorial): Ctrl-C, and a client that
sends `stop`.

    python3 tutorial_stop.py [HOST:PORT]
"""

import socketserver

from common import address, with_ctime


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            print("received", data)
            if data == b"stop":
                self.server.shutdown()
            self.request.sendall(with_ctime(data))


class Server(socketserver.ThreadingTCPServer):
    # Without this, the port can stay in use for about a minute after the server has ended.
    allow_reuse_address = True


with Server(address("localhost:6969"), Conversation) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    print("the loop has ended")
print("closed")

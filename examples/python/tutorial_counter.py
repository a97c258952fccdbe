"""The server of the tutorial with state that all clients share (docs/tutorial). It numbers the
messages of all clients.

    python3 tutorial_counter.py [HOST:PORT]
"""

import socketserver
import threading

from common import address, with_ctime


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            with self.server.lock:
                self.server.messages += 1
                number = self.server.messages
            self.request.sendall(b"%d: %b" % (number, with_ctime(data)))


class Server(socketserver.ThreadingTCPServer):
    # Without this, the port can stay in use for about a minute after the server has ended.
    allow_reuse_address = True
    messages = 0
    lock = threading.Lock()


with Server(address("localhost:6969"), Conversation) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    print("messages:", server.messages)

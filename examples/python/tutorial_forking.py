"""The server of the tutorial with a process for each client (docs/tutorial). It numbers the
messages, to show that each process has a counter of its own.

    python3 tutorial_forking.py [HOST:PORT]
"""

import os
import socketserver

from common import address, with_ctime

messages = 0


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        global messages
        pid = os.getpid()
        while data := self.request.recv(1024):
            print(f"process {pid}: {data}")
            messages += 1
            self.request.sendall(b"%d: %b from process %d" % (messages, with_ctime(data), pid))


class Server(socketserver.ForkingTCPServer):
    # Without this, the port can stay in use for about a minute after the server has ended.
    allow_reuse_address = True


with Server(address("localhost:6969"), Conversation) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    print(f"process {os.getpid()}: {messages} messages")

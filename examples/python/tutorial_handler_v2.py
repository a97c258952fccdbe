"""The second server of the tutorial as a request handler (docs/tutorial). It serves one client
after another until Ctrl-C.

    python3 tutorial_handler_v2.py [HOST:PORT]
"""

import socketserver
import threading

from common import address, with_ctime


class Conversation(socketserver.BaseRequestHandler):
    def handle(self):
        thread = threading.current_thread()
        while data := self.request.recv(1024):
            print(f"{thread.name}: {data}")
            self.request.sendall(with_ctime(data))


class Server(socketserver.TCPServer):
    # Without this, the port can stay in use for about a minute after the server has ended.
    allow_reuse_address = True


with Server(address("localhost:6969"), Conversation) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

"""The chat room that drops a member whose client does not read (docs/tutorial):
python3 examples/python/tutorial_chat_v2.py [ADDRESS]

Rust twin: examples/tutorial_chat_v2.rs."""

import select
import socket
import socketserver
import threading
import time

from common import address

# Time that a client has to receive a line, in seconds.
PATIENCE = 1


class Member(socketserver.StreamRequestHandler):
    name = None

    def handle(self):
        self.wfile.write(b"your name?\n")
        name = self.rfile.readline(100).decode().rstrip("\n")
        if not name:
            return
        if not self.server.join(name, self.request):
            self.wfile.write(b"this name is in use\n")
            return
        self.name = name
        self.wfile.write(f"hello {name}\n".encode())
        self.server.tell_others(name, f"* {name} joins\n")
        try:
            while line := self.rfile.readline(1000):
                self.server.tell_others(name, f"{name}: {line.decode()}")
        except ConnectionResetError:
            pass  # the client has ended without reading all

    def finish(self):
        if self.name is not None:
            self.server.leave(self.name)
            self.server.tell_others(self.name, f"* {self.name} leaves\n")
        super().finish()


class Room(socketserver.ThreadingTCPServer):
    # Without this, the port can stay in use for about a minute after the server has ended.
    allow_reuse_address = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.members = {}
        self.lock = threading.Lock()

    def join(self, name, client):
        """Adds a member. Returns False if the name is in use."""
        with self.lock:
            if name in self.members:
                return False
            self.members[name] = client
            return True

    def leave(self, name):
        with self.lock:
            del self.members[name]

    def tell_others(self, name, line):
        """Sends a line to all members except one."""
        with self.lock:
            others = [client for other, client in self.members.items() if other != name]
        for other in others:
            self.send(other, line.encode())

    def send(self, client, data):
        end = time.monotonic() + PATIENCE
        try:
            while data:
                _, ready, _ = select.select([], [client], [], max(0, end - time.monotonic()))
                if not ready:
                    raise TimeoutError
                data = data[client.send(data, socket.MSG_DONTWAIT) :]
        except OSError:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the connection is closed already


with Room(address("localhost:6969"), Member) as server:
    print("listening on {}:{}".format(*server.server_address))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

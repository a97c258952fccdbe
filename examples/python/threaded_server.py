"""A server with a thread for each client and its three clients in one program, after the
"Asynchronous Mixins" example of Python's documentation.

    python3 threaded_server.py
"""

import socket
import socketserver
import threading


class ThreadedTCPHandler(socketserver.BaseRequestHandler):
    def handle(self):
        data = self.request.recv(1024).decode()
        thread = threading.current_thread()
        self.request.sendall(f"{thread.name}: {data}".encode())


class ThreadedTCPServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    pass


def client(address, message):
    with socket.create_connection(address) as server:
        server.sendall(message.encode())
        response = server.recv(1024).decode()
        print("Received:", response)


if __name__ == "__main__":
    # With port 0 the kernel picks a free port.
    with ThreadedTCPServer(("localhost", 0), ThreadedTCPHandler) as server:
        # This thread serves. It starts the clients' threads.
        loop = threading.Thread(target=server.serve_forever, daemon=True)
        loop.start()
        print("Server loop running in thread:", loop.name)

        client(server.server_address, "Hello World 1")
        client(server.server_address, "Hello World 2")
        client(server.server_address, "Hello World 3")

        server.shutdown()

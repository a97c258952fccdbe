"""Shows how sockets work: the first step of docs/tutorial. Server and client are in one program.

    python3 tutorial_socket.py
"""

import socket

# The server's socket. It is bound to an address and a port, and it listens. Port 0 lets the
# kernel pick a free port.
listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
print("descriptor {} listens on {}:{}".format(listener.fileno(), *address))

# The client's socket, with a port of its own. The kernel makes the connection before the server
# calls accept.
client = socket.create_connection(address)
print("descriptor {} connects from {}:{}".format(client.fileno(), *client.getsockname()))

# The third socket: accept makes it for this one client. The listener continues to listen.
request, client_address = listener.accept()
print("descriptor {} serves {}:{}".format(request.fileno(), *client_address))

client.sendall(b"hello")
print("up to 1024:", request.recv(1024).decode())

client.sendall(b"afternoon")
print("up to 5:", request.recv(5).decode())
print("up to 1024:", request.recv(1024).decode())

client.sendall(b"good")
client.sendall(b"bye")
print("exactly 7:", request.recv(7, socket.MSG_WAITALL).decode())

client.close()
print("after the end:", len(request.recv(1024)))

request.close()
listener.close()

"""Fates of datagrams that are too long, too many, or sent to a port that no program uses
(docs/tutorial): python3 examples/python/tutorial_udp_loss.py

Rust twin: examples/tutorial_udp_loss.rs."""

import errno
import socket


def bind():
    """Returns a socket with a port of its own. Its calls do not wait."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def send(client, text):
    """Sends one datagram to the server, and prints the call and its result."""
    sent = client.send(text.encode())
    print(f'send(client, "{text}", {len(text)}) = {sent}')


def recv(name, sock, size):
    """Receives one datagram, and prints the call and its result."""
    try:
        data = sock.recv(size)
        print(f'recv({name}, "{data.decode()}", {size}) = {len(data)}')
    except (BlockingIOError, ConnectionRefusedError) as error:
        print(f"recv({name}, {size}) = {errno.errorcode[error.errno]}")


server = bind()
client = bind()
address = server.getsockname()
client.connect(address)

# A datagram that is longer than the buffer of `recv`.
send(client, "0123456789")
recv("server", server, 4)
recv("server", server, 1024)

# More datagrams than the receive buffer of the socket has space for.
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
for number in range(1000):
    client.send(b"%01000d" % number)
print("datagrams sent: 1000")
numbers = []
try:
    while True:
        numbers.append(int(server.recv(1024)))
except BlockingIOError:
    pass
print(f"datagrams received: {len(numbers)}, the last has number {numbers[-1]}")

# A port that no program uses.
server.close()
send(client, "hello")
recv("client", client, 1024)

# A socket that is not connected gets no report.
other = bind()
sent = other.sendto(b"hello", address)
print(f'sendto(other, "hello", 5) = {sent}')
recv("other", other, 1024)

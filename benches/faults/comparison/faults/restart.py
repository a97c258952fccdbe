"""A server is started on the port of a server that has just exited."""

import os
import socket

from ..client import Client
from ..server import OPERATION_TIMEOUT, Failed, Server


def restart(contender, plan):
    return {
        "restart on the same port, TCP, after clients": again(contender, plan, "echo", a_client),
        "restart on the same port, UDP": again(contender, plan, "datagram", a_datagram),
    }


def again(contender, plan, kind, visit):
    # A separate loopback address, because another process may take a released port of 127.0.0.1.
    pid = os.getpid()
    host = f"127.{1 + pid % 250}.{pid // 250 % 250}.{1 + contender.is_python}"
    with Server(contender, kind, "--address", f"{host}:0") as server:
        server.start()
        host, port = server.address
        visit(server.address)
        server.terminate()
        if server.status(OPERATION_TIMEOUT) != 0:
            raise Failed("the server did not exit with status 0")
    with Server(contender, kind, "--address", f"{host}:{port}") as server:
        return "works" if server.try_start() else "fails, the address is in use"


def a_client(address):
    """The server closes first, so that the TIME_WAIT state is on the server's side."""
    with Client(address) as client:
        client.send(b"bye\n")
        client.wait_for_end()


def a_datagram(address):
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(OPERATION_TIMEOUT)
        client.connect(address)
        client.send(b"hello")
        client.recv(100)

"""Clients, used for both contenders."""

import selectors
import socket
import time
from enum import Enum

from .server import OPERATION_TIMEOUT


class Outcome(Enum):
    ANSWERED = "answered"
    ENDED = "closed without an answer"
    RESET = "reset"
    NOTHING = "neither answered nor closed"


class Client:
    """A TCP client that sends lines."""

    def __init__(self, address):
        self._socket = socket.create_connection(address, timeout=OPERATION_TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, line):
        self._socket.sendall(line)

    def outcome(self, bound):
        """Waits at most `bound` seconds for an answer or the end of the connection."""
        self._socket.settimeout(max(bound, 0.001))
        try:
            return Outcome.ANSWERED if self._socket.recv(1000) else Outcome.ENDED
        except TimeoutError:
            return Outcome.NOTHING
        except ConnectionError:
            return Outcome.RESET

    def ask(self, line, bound):
        try:
            self.send(line)
        except ConnectionError:
            return Outcome.RESET
        return self.outcome(bound)

    def wait_for_end(self):
        while self.outcome(OPERATION_TIMEOUT) is Outcome.ANSWERED:
            pass


class Crowd:
    """Many simultaneous clients. Each sends one line, and stays connected after its answer until
    `close_answered`."""

    def __init__(self, address):
        self._address = address
        self._selector = selectors.DefaultSelector()
        self._sent = set()
        self._waiting = set()
        self._answered = []
        self.rejected = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in [*self._waiting, *self._answered]:
            client.close()
        self._selector.close()

    @property
    def waiting(self):
        return len(self._waiting)

    @property
    def answered(self):
        return len(self._answered)

    def join(self, number):
        for _ in range(number):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self._address)
            self._selector.register(client, selectors.EVENT_WRITE)
            self._waiting.add(client)

    def close_answered(self):
        """Closes one of the answered clients."""
        self._answered.pop().close()

    def poll(self, bound):
        """Waits at most `bound` seconds for events. Returns the number of new answers."""
        answered = 0
        for key, _ in self._selector.select(bound):
            answered += self._handle(key.fileobj)
        return answered

    def _handle(self, client):
        try:
            if client not in self._sent:
                client.send(b"hello\n")
                self._sent.add(client)
                self._selector.modify(client, selectors.EVENT_READ)
                return False
            answered = bool(client.recv(1000))
        except ConnectionError:
            answered = False
        self._selector.unregister(client)
        self._waiting.discard(client)
        if answered:
            self._answered.append(client)
        else:
            self.rejected += 1
            client.close()
        return answered

    def settle(self, quiet):
        """Waits for the first answer, then until there was no answer for `quiet` seconds."""
        last = time.monotonic() + OPERATION_TIMEOUT
        while time.monotonic() < last + quiet:
            if self.poll(quiet / 4):
                last = time.monotonic()

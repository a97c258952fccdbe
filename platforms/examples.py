#!/usr/bin/env python3
"""Runs examples that were built for another system, and Python clients of this one against them.

usage: examples.py DIRECTORY SUFFIX [RUNNER...]

DIRECTORY has the programs, whose names end in SUFFIX. RUNNER is the program that runs them, and its arguments.
"""

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PYTHON = Path(__file__).resolve().parent.parent / "examples/python"
CLIENTS = 100
# Time limit of every wait, far longer than any of them takes.
PATIENCE = 30

directory, suffix, *runner = sys.argv[1:]


class Server:
    """A running example. Leaving the context stops it by Ctrl-C, if it still runs."""

    def __init__(self, name, *arguments):
        command = [*runner, f"{directory}/{name}{suffix}", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        # Any address is enough: a server on all interfaces is reached over loopback.
        self.port = int(self.line(r"listening on .*:(\d+)$"))

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip())
        self.lines.put(None)

    def line(self, pattern):
        """Returns the first group of the next line that matches."""
        end = time.monotonic() + PATIENCE
        while (line := self.lines.get(timeout=max(end - time.monotonic(), 0.001))) is not None:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"the program ended without a line like {pattern}")

    def ctrl_c(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self):
        status = self.process.wait(PATIENCE)
        assert status == 0, f"exit status {status}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def connect(port):
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.settimeout(PATIENCE)
    return client


def receive(client, size):
    data = b""
    while len(data) < size and (more := client.recv(65536)):
        data += more
    return data


def tcp_echo(port, number):
    with connect(port) as client:
        for size in (1, 1000, 100_000):
            data = (b"%d " % number * size)[:size]
            threading.Thread(target=client.sendall, args=(data,)).start()
            assert receive(client, size) == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b"", "the server closes when the client has"


def udp_echo(port, number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.connect(("127.0.0.1", port))
        for size in (1, 1000, 20_000):
            data = (b"%d " % number * size)[:size]
            # The receive buffer of a busy server may drop a datagram.
            for _ in range(10):
                client.send(data)
                with contextlib.suppress(TimeoutError):
                    while (answer := client.recv(65536)) != data:
                        assert answer, "an answer to an earlier datagram is as long as it was"
                    break
            else:
                raise AssertionError(f"no answer to a datagram of {size} bytes")


def echo(strategy):
    """All clients at once, then Ctrl-C while one client is silent: it is force-closed after the grace period."""
    with Server("echo_server", "--port", "0", "--strategy", strategy, "--grace", "0.5") as server:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for each in (tcp_echo, udp_echo):
                list(pool.map(lambda number: each(server.port, number), range(CLIENTS)))
        with connect(server.port) as idle:
            idle.sendall(b"x")
            assert receive(idle, 1) == b"x"
            server.ctrl_c()
            with contextlib.suppress(ConnectionError):
                assert idle.recv(1) == b"", "the connection of the silent client is closed"
        server.line(rf"^(served {CLIENTS} connections .*, 0 failed, 1 force-closed)$")
        server.line("^drained: .*(1 force-closed), 0 abandoned$")
        server.end()


def python_client(program, client, answer):
    """A program of Python's documentation, and the client that is there."""
    with Server(program, "127.0.0.1:0") as server:
        command = [sys.executable, "-B", PYTHON / client, f"127.0.0.1:{server.port}", "hello", "there"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True).stdout
        assert answer in printed, printed
        assert server.process.poll() is None, "the server goes on"


def conversation(program):
    """A server of the tutorial, two clients at once."""
    with Server(program, "127.0.0.1:0") as server, connect(server.port) as one, connect(server.port) as two:
        for client in (two, one):
            client.sendall(b"hello")
            assert client.recv(1024).startswith(b"[hello] ")


def stop(way):
    """The server of the tutorial that ends by itself."""
    with Server("tutorial_stop", "127.0.0.1:0") as server:
        if way == "message":
            with connect(server.port) as client:
                client.sendall(b"stop")
                client.recv(1024)
        else:
            server.ctrl_c()
        server.line("^(the loop has ended)$")
        server.end()


CHECKS = [
    *[(echo, strategy) for strategy in ("sequential", "threading", "thread-pool", "coroutines")],
    (python_client, "tcp_server", "tcp_client.py", "HELLO THERE"),
    (python_client, "tcp_server_stream", "tcp_client.py", "HELLO THERE"),
    (python_client, "udp_server", "udp_client.py", "HELLO THERE"),
    *[(conversation, f"tutorial_{name}") for name in ("threads", "pool", "coroutines")],
    (stop, "message"),
    (stop, "Ctrl-C"),
]

failed = 0
for check, *arguments in CHECKS:
    name = " ".join([check.__name__, *arguments[:1]])
    start = time.monotonic()
    try:
        check(*arguments)
        print(f"ok      {time.monotonic() - start:4.1f} s  {name}", flush=True)
    except Exception as error:  # every check is reported
        failed += 1
        print(f"FAILED  {time.monotonic() - start:4.1f} s  {name}: {error!r}", flush=True)
sys.exit(bool(failed))

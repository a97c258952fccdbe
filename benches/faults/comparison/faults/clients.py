"""Faults of clients: a datagram that is too long, and clients that send nothing."""

import socket
import time
from contextlib import ExitStack

from .. import figure
from ..client import Client, Outcome
from ..server import OPERATION_TIMEOUT, Server

SIZE = 20_000


def datagram(contender, plan):
    return {
        f"a datagram of {SIZE} bytes": answer_to_datagram(contender, plan),
        f"a datagram of {SIZE} bytes, `max_packet_size = 100`": answer_to_datagram(
            contender, plan, "--max-packet-size", 100
        ),
    }


def answer_to_datagram(contender, plan, *arguments):
    with Server(contender, "datagram", *arguments) as server:
        server.start()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(OPERATION_TIMEOUT)
            client.connect(server.address)
            client.send(bytes(SIZE))
            size, *truncated = client.recv(100).decode().split()
    if int(size) == SIZE:
        return "arrives whole"
    return f"{size} bytes, " + ("`truncated()` reports it" if truncated else "not reported")


def silent(contender, plan):
    figures = {}
    for strategy, name in [
        ("sequential", "one request at a time"),
        ("threading", "a thread per connection"),
        ("coroutines", "coroutines"),
    ]:
        for timeout in [None, plan.timeout]:
            limit = f", `timeout` of {plan.timeout * 1000:g} ms" if timeout else ""
            label = f"{plan.silent} silent clients, {name}{limit}: time to answer the next client"
            figures[label] = after_silent_clients(contender, plan, strategy, timeout)
    return figures


def after_silent_clients(contender, plan, strategy, timeout):
    if strategy == "coroutines" and contender.is_python:
        return "(no coroutines)"
    arguments = ["--strategy", strategy, "--queue", 2 * plan.silent]
    arguments += ["--timeout", timeout] if timeout else []
    with Server(contender, "echo", *arguments) as server, ExitStack() as clients:
        server.start()
        for _ in range(plan.silent):
            clients.enter_context(Client(server.address))
        begin = time.monotonic()
        with Client(server.address) as client:
            answered = client.ask(b"hello\n", plan.bound) is Outcome.ANSWERED
            took = figure.until(begin, time.monotonic() if answered else None, plan.bound)
        return f"{took} ({plural(server.threads(), 'thread')})" if answered else took


def plural(number, noun):
    return f"{number} {noun}" + "s" * (number != 1)

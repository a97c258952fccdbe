"""A stop is requested while clients are connected or in the backlog."""

import random
import time
from contextlib import nullcontext

from .. import figure
from ..client import Client, Outcome
from ..load import Load
from ..server import OPERATION_TIMEOUT, Server

# Run time in seconds of the request that is active when the server is closed.
WORK = 0.5


def shutdown(contender, plan):
    idle = [latency(contender, plan, load=False) for _ in range(plan.rounds)]
    loaded = [latency(contender, plan, load=True) for _ in range(plan.rounds)]
    return {
        "SIGTERM to the end of `serve_forever`, idle": figure.spread(idle, plan.bound),
        "SIGTERM to the end of `serve_forever`, under load": figure.spread(loaded, plan.bound),
        "`shutdown()` in a handler, one request at a time": shutdown_in_handler(contender, plan),
    }


def latency(contender, plan, load):
    with Server(contender, "echo") as server:
        server.start()
        with Load(server.address) if load else nullcontext():
            # A random time, because Python's loop checks for a stop every 0.5 seconds.
            time.sleep(random.uniform(0, 0.5) if plan.rounds > 1 else 0)
            at = server.terminate()
            left = server.when("left", plan.bound)
    return None if left is None else left - at


def shutdown_in_handler(contender, plan):
    with Server(contender, "echo", "--strategy", "sequential") as server:
        server.start()
        with Client(server.address) as client:
            at = time.monotonic()
            client.ask(b"stop\n", plan.bound / 2)
        return figure.until(at, server.when("left", plan.bound), plan.bound)


def close(contender, plan):
    return {
        "close, one idle client, a thread per connection": with_an_idle_client(
            contender, plan, "threading", "closed"
        ),
        "end of `serve_forever`, one idle client, one request at a time": with_an_idle_client(
            contender, plan, "sequential", "left"
        ),
        f"a request that runs for {WORK:g} s when the server is closed": at_work(contender, plan),
    }


def with_an_idle_client(contender, plan, strategy, end):
    with Server(contender, "echo", "--strategy", strategy, *grace(contender, plan)) as server:
        server.start()
        with Client(server.address) as client:
            client.ask(b"hello\n", OPERATION_TIMEOUT)
            at = server.terminate()
            return figure.until(at, server.when(end, plan.bound), plan.bound)


def grace(contender, plan):
    if plan.grace is None or contender.is_python:
        return []
    return ["--grace", plan.grace]


def at_work(contender, plan):
    with Server(contender, "echo") as server:
        server.start()
        with Client(server.address) as client:
            client.ask(b"hello\n", OPERATION_TIMEOUT)
            client.send(b"work %f\n" % WORK)
            server.terminate()
            return client.outcome(plan.bound).value


def queue(contender, plan):
    """One client is being served and another is in the backlog when the server is stopped."""
    with Server(contender, "echo", "--strategy", "sequential") as server:
        server.start()
        with Client(server.address) as served, Client(server.address) as queued:
            served.ask(b"hello\n", OPERATION_TIMEOUT)
            served.send(b"work 0.3\n")
            queued.send(b"hello\n")
            server.terminate()
            if served.outcome(plan.bound) is Outcome.ANSWERED:
                served.close()
            return {"a client in the backlog at the close": queued.outcome(plan.bound).value}

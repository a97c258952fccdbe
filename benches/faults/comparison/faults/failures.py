"""Faults of the program (a hook fails) and of the system (no thread can be started)."""

from .. import figure
from ..client import Client, Outcome
from ..server import OPERATION_TIMEOUT, Failed, Server


def hooks(contender, plan):
    return {
        f"{failure}: the next client": next_client(contender, plan, hook)
        for hook, failure in [
            ("verify_request", "`verify_request` fails"),
            ("handle_error", "`handle_error` fails"),
        ]
    }


def next_client(contender, plan, hook):
    with Server(contender, "hooks", "--fail-in", hook) as server:
        server.start()
        with Client(server.address) as first:
            if first.ask(b"hello\n", OPERATION_TIMEOUT) is Outcome.ANSWERED:
                raise Failed(f"{hook} did not fail")
        if server.when("left", plan.bound / 4) is not None:
            return "the server has ended"
        with Client(server.address) as second:
            return second.ask(b"hello\n", OPERATION_TIMEOUT).value


def threads(contender, plan):
    with Server(contender, "echo") as server:
        server.start()
        refused = without_a_thread(server)
        with Client(server.address) as client:
            later = client.ask(b"hello\n", OPERATION_TIMEOUT)
    return {
        "a thread cannot be started: its client": refused.value,
        "a thread cannot be started: the next client, after the shortage": later.value,
        "a thread cannot be started: `server_close()` afterwards": close(contender, plan),
    }


def without_a_thread(server):
    """The outcome of a client that connects while the server cannot start a thread."""
    # Less than the stack of a thread needs.
    server.limit_memory(100_000)
    with Client(server.address) as client:
        outcome = client.ask(b"hello\n", OPERATION_TIMEOUT)
    server.limit_memory(None)
    if outcome is Outcome.ANSWERED:
        raise Failed("a thread could be started")
    return outcome


def close(contender, plan):
    with Server(contender, "echo") as server:
        server.start()
        without_a_thread(server)
        server.terminate()
        closed = server.when("closed", plan.bound)
        status = server.status(plan.bound)
    if status is None:
        return figure.never(plan.bound)
    return "works" if closed and status == 0 else f"fails, exit status {status}"

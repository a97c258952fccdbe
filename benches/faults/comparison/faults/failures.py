"""What the program or the system does wrong."""

from .. import figure
from ..client import Client, Outcome
from ..server import PATIENCE, Failed, Server


def hooks(contender, plan):
    return {
        f"{failure}: the next client": next_client(contender, plan, hook)
        for hook, failure in [
            ("verify_request", "`verify_request` fails"),
            ("handle_error", "`handle_error` fails"),
        ]
    }


def next_client(contender, plan, hook):
    with Server(contender, "hooks", "--mistake-in", hook) as server:
        server.start()
        with Client(server.address) as first:
            if first.ask(b"hello\n", PATIENCE) is Outcome.ANSWERED:
                raise Failed(f"{hook} made no mistake")
        if server.when("left", plan.bound / 4) is not None:
            return "the server has ended"
        with Client(server.address) as second:
            return second.ask(b"hello\n", PATIENCE).value


def threads(contender, plan):
    with Server(contender, "echo") as server:
        server.start()
        unlucky = without_a_thread(server)
        with Client(server.address) as client:
            later = client.ask(b"hello\n", PATIENCE)
    return {
        "no thread can be had: that client": unlucky.value,
        "no thread can be had: the next, when one can": later.value,
        "no thread could be had for the last client: `server_close()`": close(contender, plan),
    }


def without_a_thread(server):
    """What becomes of a client then."""
    # No room for a stack.
    server.limit_memory(100_000)
    with Client(server.address) as client:
        outcome = client.ask(b"hello\n", PATIENCE)
    server.limit_memory(None)
    if outcome is Outcome.ANSWERED:
        raise Failed("there was a thread")
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

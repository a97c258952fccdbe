"""The process runs out of descriptors."""

import time

from .. import figure
from ..client import Crowd
from ..server import Failed, Server


def descriptors(contender, plan):
    # With Python's default queue of 5, what is measured would be the patience of TCP.
    arguments = ["--strategy", "threading", "--queue", 2 * plan.crowd]
    with Server(contender, "echo", *arguments, descriptors=plan.descriptors) as server:
        server.start()
        with Crowd(server.address) as crowd:
            crowd.join(plan.crowd)
            crowd.settle(0.3)
            if not crowd.answered:
                raise Failed("nobody was served")
            returns = [time_to_serve(crowd, plan.bound) for _ in range(plan.rounds)]
            starved = share_of_a_processor(server, crowd, plan.window)
            work_off(crowd, plan.bound)
            limit = f"{plan.descriptors} descriptors, {plan.crowd} clients"
            return {
                f"{limit}: processor time while there is none free": f"{starved:.0%}",
                f"{limit}: from a free descriptor to the next answer": figure.spread(
                    returns, plan.bound
                ),
                f"{limit}: turned away": str(crowd.turned_away),
                f"{limit}: neither served nor turned away in the end": str(crowd.waiting),
            }


def share_of_a_processor(server, crowd, window):
    before, begin = server.processor_time(), time.monotonic()
    while (left := begin + window - time.monotonic()) > 0:
        crowd.look(left)
    return (server.processor_time() - before) / (time.monotonic() - begin)


def time_to_serve(crowd, bound):
    """How long it takes from the end of one client to the answer to another."""
    crowd.look(0)
    if not crowd.waiting:
        crowd.join(1)
        crowd.look(0.1)
    begin = time.monotonic()
    crowd.let_go()
    while time.monotonic() < begin + bound:
        if crowd.look(bound / 10):
            return time.monotonic() - begin
        if not crowd.waiting:
            crowd.join(1)
    return None


def work_off(crowd, bound):
    """Clients leave as they are answered, until nobody waits or nothing goes on."""
    last = time.monotonic()
    while crowd.waiting and time.monotonic() < last + bound:
        before = crowd.waiting
        while crowd.answered:
            crowd.let_go()
        crowd.look(bound / 10)
        if crowd.waiting < before:
            last = time.monotonic()

"""Fault: the process has no free descriptors."""

import time

from .. import figure
from ..client import Crowd
from ..server import Failed, Server


def descriptors(contender, plan):
    # With Python's default backlog of 5, the figures would be the retransmission times of TCP.
    arguments = ["--strategy", "threading", "--queue", 2 * plan.crowd]
    with Server(contender, "echo", *arguments, descriptors=plan.descriptors) as server:
        server.start()
        with Crowd(server.address) as crowd:
            crowd.join(plan.crowd)
            crowd.settle(0.3)
            if not crowd.answered:
                raise Failed("no client was served")
            returns = [time_to_serve(crowd, plan.bound) for _ in range(plan.rounds)]
            cpu_share = share_of_a_processor(server, crowd, plan.window)
            drain(crowd, plan.bound)
            limit = f"{plan.descriptors} descriptors, {plan.crowd} clients"
            return {
                f"{limit}: processor time while none is free": f"{cpu_share:.0%}",
                f"{limit}: from a free descriptor to the next answer": figure.spread(
                    returns, plan.bound
                ),
                f"{limit}: rejected": str(crowd.rejected),
                f"{limit}: neither served nor rejected at the end": str(crowd.waiting),
            }


def share_of_a_processor(server, crowd, window):
    before, begin = server.processor_time(), time.monotonic()
    while (left := begin + window - time.monotonic()) > 0:
        crowd.poll(left)
    return (server.processor_time() - before) / (time.monotonic() - begin)


def time_to_serve(crowd, bound):
    """Seconds from the close of one client to the answer to another."""
    crowd.poll(0)
    if not crowd.waiting:
        crowd.join(1)
        crowd.poll(0.1)
    begin = time.monotonic()
    crowd.close_answered()
    while time.monotonic() < begin + bound:
        if crowd.poll(bound / 10):
            return time.monotonic() - begin
        if not crowd.waiting:
            crowd.join(1)
    return None


def drain(crowd, bound):
    """Closes clients as they are answered, until none waits or `bound` seconds bring no answer."""
    last = time.monotonic()
    while crowd.waiting and time.monotonic() < last + bound:
        before = crowd.waiting
        while crowd.answered:
            crowd.close_answered()
        crowd.poll(bound / 10)
        if crowd.waiting < before:
            last = time.monotonic()

"""How much is measured, and how long is waited for what may never come."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    # How often what is a matter of luck is measured.
    rounds: int
    # What has not come after so many seconds is said never to come.
    bound: float = 6.0
    # For so many seconds processor time is measured.
    window: float = 2.0
    crowd: int = 200
    descriptors: int = 40
    silent: int = 50
    # How many seconds a client may be silent, where there is a limit.
    timeout: float = 0.05
    # How long a close waits for requests, if not as long as by default.
    grace: float | None = None
    # How many faults are measured at the same time.
    jobs: int = 1


def full(rounds):
    return Plan(rounds)


def smoke():
    """Does everything work? The figures say nothing."""
    return Plan(1, bound=1.0, window=0.2, crowd=60, silent=10, grace=0.2, jobs=8)

"""How much is measured, and how long each wait is at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    # Number of samples of each time that varies.
    rounds: int
    # Seconds after which an expected event is reported as missing.
    bound: float = 6.0
    # Seconds for which processor time is measured.
    window: float = 2.0
    # Number of clients of the fault `descriptors`.
    crowd: int = 200
    # Limit on the server's descriptors in the fault `descriptors`.
    descriptors: int = 40
    # Number of clients that send nothing.
    silent: int = 50
    # The server's read timeout in seconds, in the rows with a timeout.
    timeout: float = 0.05
    # Seconds that a close waits for requests; None is the default of the crate.
    grace: float | None = None
    # Number of faults measured at the same time.
    jobs: int = 1


def full(rounds):
    return Plan(rounds)


def smoke():
    """A short plan that checks that each measurement runs. Its figures mean nothing."""
    return Plan(1, bound=1.0, window=0.2, crowd=60, silent=10, grace=0.2, jobs=8)

"""Formats figures for the table."""

from statistics import median


def time(seconds):
    if seconds < 0.000_95:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.0095:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 0.95:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s"


def never(bound):
    return f"not within {bound:g} s"


def until(start, end, bound):
    """The time from `start` to `end`; `end` is None if it did not happen within `bound` seconds."""
    return never(bound) if end is None else time(end - start)


def spread(times, bound):
    """The median and the maximum of several times. None means later than `bound` seconds."""
    came = [seconds for seconds in times if seconds is not None]
    if len(came) < len(times):
        return f"{len(times) - len(came)} of {len(times)} {never(bound)}"
    if len(times) == 1:
        return time(times[0])
    return f"{time(median(came))}, at worst {time(max(came))}"

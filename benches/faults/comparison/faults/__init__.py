"""The faults, each a function of a contender and a plan.

A fault returns a dictionary from the label of a table row to its figure.
"""

from . import clients, descriptors, failures, restart, stopping

FAULTS = {
    "descriptors": descriptors.descriptors,
    "shutdown": stopping.shutdown,
    "close": stopping.close,
    "queue": stopping.queue,
    "datagram": clients.datagram,
    "silent": clients.silent,
    "hooks": failures.hooks,
    "threads": failures.threads,
    "restart": restart.restart,
}

"""The faults. Each is a function of a contender and a plan, which returns its figures by what they say."""

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

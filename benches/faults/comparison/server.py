"""A server process: its output, its processor time and memory, its exit status."""

import os
import queue
import resource
import signal
import subprocess
import threading
import time

# Seconds allowed for an operation that is expected to succeed, also on a busy machine.
OPERATION_TIMEOUT = 20.0


class Failed(Exception):
    """A figure could not be measured."""


class Server:
    """Starts a server, and kills it at the end of the block if it still runs."""

    def __init__(self, contender, kind, *arguments, descriptors=None):
        command = contender.commands[kind] + [str(argument) for argument in arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if descriptors:
            limits = (descriptors, descriptors)
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, limits)
        self._lines = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self.address = None

    def _listen(self):
        for line in self._process.stdout:
            self._lines.put((time.monotonic(), line.decode().strip()))
        self._lines.put((time.monotonic(), None))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        """Waits until the server listens."""
        if not self.try_start():
            raise Failed(f"{self._process.args} does not listen")
        return self

    def try_start(self):
        printed = self._next(OPERATION_TIMEOUT)
        if printed is None or printed[1] is None:
            return False
        host, port = printed[1].removeprefix("listening on ").rsplit(":", 1)
        self.address = (host, int(port))
        return True

    def _next(self, bound):
        try:
            return self._lines.get(timeout=max(bound, 0))
        except queue.Empty:
            return None

    def when(self, word, bound):
        """The time at which the server printed `word`; None if not within `bound` seconds."""
        until = time.monotonic() + bound
        while printed := self._next(until - time.monotonic()):
            at, line = printed
            if line in (word, None):
                return at if line else None
        return None

    def terminate(self):
        """Sends SIGTERM. Returns the time just before that."""
        at = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return at

    def status(self, bound):
        """The exit status; None if the server still runs after `bound` seconds."""
        try:
            return self._process.wait(bound)
        except subprocess.TimeoutExpired:
            return None

    def processor_time(self):
        """Processor time used so far, in seconds."""
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def limit_memory(self, more):
        """Limits the address space to its size now plus `more` bytes; None removes the limit."""
        limit = resource.RLIM_INFINITY
        if more is not None:
            with open(f"/proc/{self.pid}/statm") as file:
                limit = int(file.read().split()[0]) * resource.getpagesize() + more
        resource.prlimit(self.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

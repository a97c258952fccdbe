"""A child process with clients that connect, send a line, read the answer and close, repeatedly.

The process runs until it is killed or the server stops.
"""

import socket
import subprocess
import sys
import threading

CLIENTS = 4


class Load:
    def __init__(self, address):
        host, port = address
        command = [sys.executable, "-B", "-m", "comparison.load", host, str(port)]
        self._command = command

    def __enter__(self):
        from .contender import HERE

        self._process = subprocess.Popen(self._command, cwd=HERE, stdout=subprocess.PIPE)
        self._process.stdout.readline()  # printed after the first answer
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


def ask(address):
    first = True
    while True:
        try:
            with socket.create_connection(address, timeout=10) as client:
                client.sendall(b"hello\n")
                client.recv(100)
        except OSError:
            return  # the server has stopped
        if first:
            print(flush=True)
            first = False


if __name__ == "__main__":
    to = (sys.argv[1], int(sys.argv[2]))
    for _ in range(CLIENTS):
        threading.Thread(target=ask, args=(to,)).start()

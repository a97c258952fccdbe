r"""The output of a child process to a pipe: Python loses it.

a connect
a eof
server stdout
    python: parent
    rust: child, parent
"""

import socketserver
import sys

import pair


class Prints(socketserver.BaseRequestHandler):
    def handle(self):
        print("child, ", end="")


# Restores the default buffer, because the harness runs Python unbuffered.
sys.stdout = open(sys.stdout.fileno(), "w", closefd=False)
pair.serve(socketserver.ForkingTCPServer, Prints)
print("parent")

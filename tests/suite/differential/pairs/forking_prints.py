r"""What a child prints, where the output is a pipe: Python loses it.

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


# With the buffer that it has unless Python is told otherwise.
sys.stdout = open(sys.stdout.fileno(), "w", closefd=False)
pair.serve(socketserver.ForkingTCPServer, Prints)
print("parent")

r"""A client that resets its connection: Python reports it as an error of the handler.

strategies: plain threading pool forking

a connect
a send "hello\n"
a line
a reset
server stderr
    python: from <a>: handle: [Errno 104] Connection reset by peer
    rust: nothing
"""

import socketserver

import pair


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


pair.serve(socketserver.TCPServer, Lines)

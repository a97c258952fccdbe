r"""A read after a read that timed out: Python does not allow it.

a connect
a line
a send "hello\n"
a eof
    python: b"" end
    rust: b"hello\n" end
server stderr
    python: from <a>: handle: cannot read from timed out object
    rust: nothing
"""

import socket
import socketserver

import pair


class Patient(socketserver.StreamRequestHandler):
    def handle(self):
        self.connection.settimeout(0.1)
        try:
            self.rfile.readline()
        except socket.timeout:  # TimeoutError, since Python 3.10
            self.connection.settimeout(60)
            self.wfile.write(b"still there?\n")
        self.wfile.write(self.rfile.readline())


pair.serve(socketserver.TCPServer, Patient)

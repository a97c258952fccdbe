r"""The timeout expires for a client that sends nothing, and for one that stops inside a line. The
message here has more details.

strategies: plain threading pool forking

a connect
a eof
b connect
b send "hal"
b eof
server stderr
    python: from <a>: handle: timed out
    python: from <b>: handle: timed out
    rust: from <a>: handle: timed out: a read found nothing from the client within 100ms (...
    rust: from <b>: handle: timed out: a read found nothing from the client within 100ms (...
"""

import socketserver

import pair


class Patient(socketserver.StreamRequestHandler):
    timeout = 0.1

    def handle(self):
        self.wfile.write(self.rfile.readline())


pair.serve(socketserver.TCPServer, Patient)

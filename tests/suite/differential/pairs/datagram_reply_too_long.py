r"""A reply that is too long for a datagram: an error in both, with different texts.

a connect
a send "70000"
a send "7"
a packet
server stderr
    python: from <a>: finish: [Errno 90] Message too long
    rust: from <a>: the reply: Message too long (os error 90)
"""

import socketserver

import pair


class Repeats(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(b"x" * int(self.packet))


pair.serve(socketserver.UDPServer, Repeats)

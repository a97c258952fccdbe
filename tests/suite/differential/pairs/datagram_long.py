r"""A long datagram: Python receives 8192 bytes of it by default.

a connect
a send "x" * 8192
a packet
a send "x" * 8193
a packet
    python: b"8192 bytes"
    rust: b"8193 bytes"
a send "x" * 65507
a packet
    python: b"8192 bytes"
    rust: b"65507 bytes"
"""

import socketserver

import pair


class Count(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(b"%d bytes" % len(self.packet))


pair.serve(socketserver.UDPServer, Count)

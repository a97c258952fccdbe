r"""Packets over a Unix socket are answered by one packet each, an empty one too.

strategies: plain threading pool forking

a connect
a send "abc"
a packet
a send ""
a packet
a send "x" * 8000
a packet
"""

import socketserver

import pair


class Count(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(b"%d bytes" % len(self.packet))


pair.serve(socketserver.UnixDatagramServer, Count)

r"""Packets of all sizes are answered by one packet each, an empty one too.

strategies: plain threading pool forking

a connect
a send "abc"
a packet
a send ""
a packet
a send "x" * 8000
a packet
a send "two\nlines\n"
a packet
"""

import socketserver

import pair


class Count(socketserver.DatagramRequestHandler):
    def handle(self):
        first = self.rfile.readline()
        self.wfile.write(b"%d bytes, " % len(first))
        self.wfile.write(b"and %d\n" % len(self.rfile.read()))


pair.serve(socketserver.UDPServer, Count)

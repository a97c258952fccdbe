r"""Datagrams of all sizes, including an empty one, get one datagram as reply.

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

r"""Datagrams over a Unix socket, including an empty one, get one datagram as reply.

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

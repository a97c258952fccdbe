r"""Messages with a length prefix, split and joined by the stream.

a connect
a send "\0\0\0\x03abc\0\0\0\x00\0\0\0\x05hel"
a recv 7
a recv 4
a send "lo"
a recv 9
a shutdown
a eof
"""

import socketserver
import struct

import pair


class Reverse(socketserver.StreamRequestHandler):
    def handle(self):
        while header := self.rfile.read(4):
            (size,) = struct.unpack(">I", header)
            self.wfile.write(header + self.rfile.read(size)[::-1])


pair.serve(socketserver.TCPServer, Reverse)

r"""Buffered writes arrive when they are flushed, and at the end.

a connect
a send "one\ntwo\n"
a line
a shutdown
a eof
"""

import socketserver

import pair


class Buffered(socketserver.StreamRequestHandler):
    wbufsize = -1

    def handle(self):
        self.wfile.write(self.rfile.readline())
        self.wfile.flush()
        for line in self.rfile:
            self.wfile.write(line)


pair.serve(socketserver.TCPServer, Buffered)

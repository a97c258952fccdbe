r"""All lines of a client: several at once, one in pieces, an empty one, the last without a newline.

strategies: plain threading pool forking

a connect
a send "one\ntwo\nth"
a line
a line
a silent
a send "ree\n\n"
a line
a line
a send "four"
a shutdown
a eof
"""

import socketserver

import pair


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"<" + line.rstrip(b"\n") + b">\n")


pair.serve(socketserver.TCPServer, Lines)

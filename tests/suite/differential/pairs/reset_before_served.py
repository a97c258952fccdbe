r"""A client that has reset its connection before it is accepted: the handler runs, and cannot read.

a connect
a send "first\n"
a line
b connect
b send "gone\n"
b reset
a shutdown
a eof
c connect
c send "third\n"
c shutdown
c eof
server stderr
    python: from <b>: handle: [Errno 104] Connection reset by peer
    rust: nothing
"""

import socketserver

import pair


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving", self.client_address)
        for line in self.rfile:
            self.wfile.write(line)


pair.serve(socketserver.TCPServer, Lines)

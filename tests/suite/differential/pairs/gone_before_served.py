r"""A client that has sent data and disconnected before it is accepted is served.

a connect
a send "first\n"
a line
b connect
b send "gone\n"
b shutdown
b close
a shutdown
a eof
c connect
c send "third\n"
c shutdown
c eof
"""

import socketserver

import pair


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            print("served", line)
            self.wfile.write(line)


pair.serve(socketserver.TCPServer, Lines)

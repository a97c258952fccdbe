r"""Two clients at the same time: the one that connected later is served first.

strategies: threading pool forking

a connect
b connect
b send "b\n"
b eof
a send "a\n"
a eof
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


pair.serve(socketserver.TCPServer, Echo)

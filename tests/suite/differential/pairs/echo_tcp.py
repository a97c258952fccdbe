r"""TCP: each of three clients gets its line back.

strategies: plain threading pool forking

a connect
a send "hello\n"
a eof
b connect
b send "it's me\r\n"
b eof
c connect
c send "\x00\xff\n"
c eof
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


pair.serve(socketserver.TCPServer, Echo)

r"""A Unix client without an address is served, but cannot get a reply: an error in both, with
different texts.

a connect unnamed
b connect
a send "hello"
b send "ping"
b packet
server stderr
    python: from None: finish: ...
    rust: from : the reply: this Unix socket address is unnamed: ...
"""

import socketserver

import pair


class Echo(socketserver.DatagramRequestHandler):
    def handle(self):
        print("serving", self.packet)
        self.wfile.write(self.packet)


pair.serve(socketserver.UnixDatagramServer, Echo)

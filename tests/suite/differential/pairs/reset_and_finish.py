r"""An error in finish, after the client has reset its connection: both errors are reported.

a connect
a send "hello\n"
a line
a reset
server stderr
    python: from <a>: handle: [Errno 104] Connection reset by peer; finish: no end
    rust: from <a>: handle: Connection reset by peer (os error 104); finish: no end
"""

import socketserver

import pair


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)

    def finish(self):
        super().finish()
        raise ValueError("no end")


pair.serve(socketserver.TCPServer, Lines)

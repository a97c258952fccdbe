r"""A server at the port of an earlier one that closed a connection: Python's has to wait a minute.

a connect
a send "hello\n"
a eof
server ends
server stdout
    python: [Errno 98] Address already in use
    rust: started again
"""

import socketserver

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.TCPServer, Echo) as server:
    pair.announce(server)
    server.handle_request()
try:
    socketserver.TCPServer(server.server_address, Echo).server_close()
    print("started again")
except OSError as error:
    print(error)

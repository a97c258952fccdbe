r"""A second server at the same address ends its program with an error message.

server ends
server stderr
    python: uncaught: [Errno 98] Address already in use
    rust: uncaught: cannot bind to <server> (another socket is using it, ...
"""

import socketserver

import pair

first = pair.bind(socketserver.TCPServer, socketserver.BaseRequestHandler)
pair.announce(first)
socketserver.TCPServer(first.server_address, socketserver.BaseRequestHandler)
print("never printed")

r"""An address of another machine ends the program with an error message.

server ends
server stderr
    python: uncaught: [Errno 99] Cannot assign requested address
    rust: uncaught: cannot bind to 192.0.2.1:0 (no interface of this machine has this address, ...
"""

import socketserver

import pair

pair.announce(pair.bind(socketserver.TCPServer, socketserver.BaseRequestHandler))
socketserver.TCPServer(("192.0.2.1", 0), socketserver.BaseRequestHandler)
print("never printed")

r"""The family of an IPv6 address: Python does not derive it from the address.

needs: IPv6

server ends
server stdout
    python: [Errno -9] Address family for hostname not supported
    rust: IPv6
"""

import socketserver

import pair

pair.announce(pair.bind(socketserver.TCPServer, socketserver.BaseRequestHandler))
try:
    socketserver.TCPServer(("::1", 0), socketserver.BaseRequestHandler)
    print("IPv6")
except OSError as error:
    print(error)

r"""A handler whose constructor raises.

strategies: plain threading pool forking

a connect
a eof
"""

import socketserver

import pair


class Unmade(socketserver.BaseRequestHandler):
    def __init__(self, request, client_address, server):
        raise ValueError("no handler today")


pair.serve(socketserver.TCPServer, Unmade)

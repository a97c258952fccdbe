r"""A server in a thread of its own, stopped by the main thread.

a connect
a send "hello\n"
a eof
server input
server ends
"""

import socketserver
import sys
import threading

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


with pair.bind(socketserver.ThreadingTCPServer, Echo) as server:
    pair.announce(server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    sys.stdin.read()
    server.shutdown()
    thread.join()
    print("stopped")

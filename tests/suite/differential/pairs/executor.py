r"""A pool of one thread, in Python an executor: the second client waits for the first.

a connect
b connect
b send "b\n"
a send "a\n"
a eof
b eof
"""

import socketserver
from concurrent.futures import ThreadPoolExecutor

import pair


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        print("serving", self.client_address)
        self.wfile.write(self.rfile.readline())
        print("served", self.client_address)


class Server(socketserver.ThreadingTCPServer):
    executor = ThreadPoolExecutor(1)

    def process_request(self, request, client_address):
        self.executor.submit(self.process_request_thread, request, client_address)

    def server_close(self):
        super().server_close()
        self.executor.shutdown()


pair.serve(Server, Echo)

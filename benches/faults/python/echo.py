"""A TCP server that sends back each line.

Some lines are orders: "stop" stops the server from inside this handler, "work SECONDS" is answered
after that time, "bye" ends the conversation from this side.
"""

import argparse
import socketserver
import time

import life


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            order, _, argument = line.decode().strip().partition(" ")
            if order == "stop":
                self.server.shutdown()
            elif order == "work":
                time.sleep(float(argument))
            elif order == "bye":
                break
            self.wfile.write(line)


parser = argparse.ArgumentParser()
parser.add_argument("--address", type=life.address, default=("127.0.0.1", 0))
parser.add_argument("--strategy", choices=["sequential", "threading"], default="threading")
parser.add_argument("--timeout", type=float)
parser.add_argument("--queue", type=int)
arguments = parser.parse_args()
servers = {
    "sequential": socketserver.TCPServer,
    "threading": socketserver.ThreadingTCPServer,
}
Server = servers[arguments.strategy]
if arguments.queue:
    Server.request_queue_size = arguments.queue
Echo.timeout = arguments.timeout
life.run(Server(arguments.address, Echo))

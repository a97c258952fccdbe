"""A TCP server that sends back each line.

Some lines are commands: "stop" calls shutdown() in the handler, "work SECONDS" is answered after
that time, "bye" makes the server close the connection.
"""

import argparse
import socketserver
import time

import lifecycle


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            command, _, argument = line.decode().strip().partition(" ")
            if command == "stop":
                self.server.shutdown()
            elif command == "work":
                time.sleep(float(argument))
            elif command == "bye":
                break
            self.wfile.write(line)


parser = argparse.ArgumentParser()
parser.add_argument("--address", type=lifecycle.address, default=("127.0.0.1", 0))
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
lifecycle.run(Server(arguments.address, Echo))

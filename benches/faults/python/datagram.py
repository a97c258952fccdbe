"""A UDP server that answers with the size of each datagram. Python does not report truncation."""

import argparse
import socketserver

import lifecycle


class Measure(socketserver.DatagramRequestHandler):
    def handle(self):
        self.wfile.write(b"%d" % len(self.packet))


parser = argparse.ArgumentParser()
parser.add_argument("--address", type=lifecycle.address, default=("127.0.0.1", 0))
parser.add_argument("--max-packet-size", type=int)
arguments = parser.parse_args()
if arguments.max_packet_size:
    socketserver.UDPServer.max_packet_size = arguments.max_packet_size
lifecycle.run(socketserver.UDPServer(arguments.address, Measure))

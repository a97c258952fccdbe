"""A datagram client that sends its request again if no answer arrives in time (docs/tutorial):
python3 examples/python/tutorial_udp_retry.py [ADDRESS] WORD...

Rust twin: examples/tutorial_udp_retry.rs."""

import socket
import sys

from common import address_and_words

address, words = address_and_words("localhost:6969")
request = " ".join(words).encode()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    # From here on the socket sends to this address only, and receives from it only.
    sock.connect(address)
    sock.settimeout(2)

    for attempt in 1, 2, 3:
        sock.send(request)
        try:
            answer = sock.recv(65535)
        except TimeoutError:
            print(f"attempt {attempt}: no answer within 2 s")
        else:
            print("Received:", answer.decode(errors="replace"))
            sys.exit()
    sys.exit("no answer")

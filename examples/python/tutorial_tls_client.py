"""The client of the server that greets over TLS (docs/tutorial).

    python3 tutorial_tls_client.py [HOST:PORT] NAME [CERTIFICATE]
"""

import socket
import ssl

from common import address_and_words

address, words = address_and_words("localhost:6969")
trusted = words[1] if len(words) > 1 else "cert.pem"
context = ssl.create_default_context(cafile=trusted)

# The certificate must be for this host.
host = address[0]
with context.wrap_socket(socket.create_connection(address), server_hostname=host) as server:
    server.sendall(words[0].encode() + b"\n")
    with server.makefile() as answer:
        print(answer.read(), end="")

"""What several examples need and none is about; the twin of examples/common/mod.rs."""

import sys
import time


def address(default):
    """The command line of a server: the address to bind to, or the default one."""
    return parse(sys.argv[1] if len(sys.argv) > 1 else default)


def address_and_words(default):
    """The command line of a client: the server's address, if the first argument has a colon, or
    the default one; and the arguments after it."""
    words = sys.argv[1:]
    if words and ":" in words[0]:
        return parse(words[0]), words[1:]
    return parse(default), words


def parse(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


def announce(asked, server_address):
    """Prints the address of a server that was asked to pick a port itself, by the port 0."""
    if asked[1] == 0:
        print("listening on {}:{}".format(*server_address))


def ask(prompt):
    """Prints the prompt and reads what is typed, up to the end of the line."""
    print(prompt, end="", flush=True)
    return sys.stdin.buffer.readline().removesuffix(b"\n")


def with_ctime(data):
    """The data and the time: b'[data] Sun Jun 20 23:21:05 1993'."""
    return b"[%b] %b" % (data, time.ctime().encode())

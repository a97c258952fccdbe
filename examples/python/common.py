"""Functions that several examples share: the command line, prompts and times. The Rust twin is
examples/common/mod.rs."""

import sys
import time

# Prints each line at once, also into a pipe or a file, as println! does in Rust.
sys.stdout.reconfigure(line_buffering=True)


def address(default):
    """Returns the address on a server's command line, or the default address."""
    return parse(sys.argv[1] if len(sys.argv) > 1 else default)


def address_and_words(default):
    """Splits a client's command line into the server's address and the other arguments. The first
    argument is the address if it has a colon. Otherwise the default address is used."""
    words = sys.argv[1:]
    if words and ":" in words[0]:
        return parse(words[0]), words[1:]
    return parse(default), words


def parse(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


def announce(asked, server_address):
    """Prints the server's address if port 0 was asked for, because the kernel picks the port then."""
    if asked[1] == 0:
        print("listening on {}:{}".format(*server_address))


def ask(prompt):
    """Prints the prompt and reads one line. Returns it without its line end."""
    print(prompt, end="", flush=True)
    return sys.stdin.buffer.readline().removesuffix(b"\n")


def with_ctime(data):
    """Returns the data and the time: b'[data] Mon Dec  9 17:06:41 2019'."""
    return b"[%b] %b" % (data, time.ctime().encode())

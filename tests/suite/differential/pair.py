"""Functions that the Python servers of the pairs share. The Rust equivalent is server.rs."""

import os
import signal
import socket
import socketserver

MIXINS = {
    "plain": (),
    "threading": (socketserver.ThreadingMixIn,),
    "pool": (socketserver.ThreadingMixIn,),
    "forking": (socketserver.ForkingMixIn,),
}

# A process that was started in the background may ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Stop(Exception):
    """SIGTERM was received."""


def bind(server_class, handler):
    """Creates a server at the address and with the strategy that the harness sets."""
    mixins = MIXINS[os.environ.get("PAIR_STRATEGY", "plain")]
    if mixins:
        server_class = type(server_class.__name__, (*mixins, server_class), {})
    if server_class.address_family == socket.AF_UNIX:
        return server_class(os.environ["PAIR_PATH"], handler)
    is_v6 = server_class.address_family == socket.AF_INET6
    return server_class(("::1" if is_v6 else os.environ["PAIR_HOST"], 0), handler)


def announce(server):
    """Prints kind and address of the server. Has to be called once, before any other output."""
    is_stream = server.socket_type == socket.SOCK_STREAM
    address = server.server_address
    if server.address_family == socket.AF_UNIX:
        kind = "unix" if is_stream else "unixgram"
    else:
        kind = "tcp" if is_stream else "udp"
        form = "[{}]:{}" if server.address_family == socket.AF_INET6 else "{}:{}"
        address = form.format(*address)
    print("listening on", kind, address, flush=True)


def serve(server_class, handler):
    """Serves until SIGTERM. A running request is served to its end."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))

    with bind(server_class, handler) as server:
        service_actions = server.service_actions

        def stop_if_requested():
            service_actions()
            if stopping:
                raise Stop

        server.service_actions = stop_if_requested
        announce(server)
        try:
            server.serve_forever(poll_interval=0.01)
        except Stop:
            pass

"""Echo servers in Python with one thread: greenlets or an event loop.

usage: event_loop.py asyncio|uvloop|gevent|gevent-socketserver
"""

import ctypes
import signal
import socket
import sys

BUFFER_SIZE = 64 * 1024
PR_SET_PDEATHSIG = 1


def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by connections
    listener.bind(("127.0.0.1", 0))
    listener.listen(socket.SOMAXCONN)
    return listener


def announce(address):
    host, port = address
    print(f"listening on {host}:{port}", flush=True)


def serve_asyncio(run):
    import asyncio

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)

        # Stops reading from a client that does not read its replies.
        def pause_writing(self):
            self.transport.pause_reading()

        def resume_writing(self):
            self.transport.resume_reading()

    async def serve():
        loop = asyncio.get_running_loop()
        listener = listen()
        server = await loop.create_server(Echo, sock=listener, backlog=socket.SOMAXCONN)
        announce(listener.getsockname())
        await server.serve_forever()

    run(serve())


def asyncio_server():
    import asyncio

    serve_asyncio(asyncio.run)


def uvloop_server():
    import uvloop

    serve_asyncio(uvloop.run)


def gevent_server():
    import gevent.socket
    from gevent.server import StreamServer

    def echo(connection, address):
        while data := connection.recv(BUFFER_SIZE):
            connection.sendall(data)

    listener = gevent.socket.socket(fileno=listen().detach())
    announce(listener.getsockname())
    StreamServer(listener, echo).serve_forever()


def gevent_socketserver():
    from gevent import monkey

    monkey.patch_all()
    import echo

    with echo.ThreadingTCPServer(("127.0.0.1", 0), echo.StreamEcho) as server:
        announce(server.server_address)
        server.serve_forever()


SERVERS = {
    "asyncio": asyncio_server,
    "uvloop": uvloop_server,
    "gevent": gevent_server,
    "gevent-socketserver": gevent_socketserver,
}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SERVERS:
        sys.exit(__doc__)
    # The kernel kills this process when the runner is killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    SERVERS[sys.argv[1]]()


if __name__ == "__main__":
    main()

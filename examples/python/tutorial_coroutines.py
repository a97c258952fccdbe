"""The server of the tutorial with coroutines, all on one thread (docs/tutorial).

    python3 tutorial_coroutines.py [HOST:PORT]
"""

import asyncio
import socket
import threading

from common import address, with_ctime


async def conversation(reader, writer):
    thread = threading.current_thread()
    while data := await reader.read(1024):
        print(f"{thread.name}: {data}")
        writer.write(with_ctime(data))
        await writer.drain()
    writer.close()


async def main():
    host, port = address("localhost:6969")
    server = await asyncio.start_server(conversation, host, port, family=socket.AF_INET)
    print("listening on {}:{}".format(*server.sockets[0].getsockname()))
    await server.serve_forever()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass

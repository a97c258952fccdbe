"""What the servers have in common: how they tell compare.py where they are in their life."""

import signal
import threading


def run(server):
    """Serves until SIGTERM, then closes; says each of these in a line."""

    def stop(*_):
        # shutdown() waits for the loop, so it cannot be called on the thread that runs it.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    host, port = server.server_address
    print(f"listening on {host}:{port}", flush=True)
    try:
        server.serve_forever()
    finally:
        print("left", flush=True)
        server.server_close()
        print("closed", flush=True)


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)

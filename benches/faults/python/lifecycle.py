"""Code shared by the servers: reports their life cycle to compare.py on the standard output."""

import signal
import threading


def run(server):
    """Serves until SIGTERM, then closes. Prints a line at each stage: listening, left, closed."""

    def stop(*_):
        # A separate thread, because shutdown() waits for the loop that runs on this one.
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

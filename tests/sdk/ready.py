"""Free ports, and waiting until a gateway is ready.

    ready.py --free-ports N        prints N ports nobody listens at
    ready.py ADMIN_PORT PID        ends when the gateway is ready; fails when its process has ended
"""

import os
import socket
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 30.0


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def wait_until_ready(port, pid):
    last = "nobody listens"
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            last = error
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            sys.exit("the gateway has ended before it was ready")
        time.sleep(0.05)
    sys.exit(f"the gateway is not ready after {PATIENCE:.0f} s: {last}")


if __name__ == "__main__":
    if sys.argv[1] == "--free-ports":
        print(*free_ports(int(sys.argv[2])))
    else:
        wait_until_ready(int(sys.argv[1]), int(sys.argv[2]))

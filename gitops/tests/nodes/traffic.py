"""How users reach the gateways."""

import http.client
import socket
from collections.abc import Callable


class Connection(http.client.HTTPConnection):
    """Connects to the first gateway of `addresses` that accepts, as the load balancer connects only to healthy targets."""

    def __init__(self, addresses: Callable[[], list[str]], host: str, port: int = 8080, timeout: float = 15):
        super().__init__(host, port, timeout=timeout)
        self.addresses = addresses

    def connect(self) -> None:
        failure: OSError = OSError("no gateway is ready")
        for address in self.addresses():
            try:
                self.sock = socket.create_connection((address, self.port), timeout=1)
                self.sock.settimeout(self.timeout)
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
            except OSError as error:
                failure = error
        raise failure

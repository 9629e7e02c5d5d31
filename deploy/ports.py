"""Whether a port is free, looked at before anything is started."""

import socket

from deploy.errors import PortInUse


def refuse_taken_port(host: str, port: int) -> None:
    """Raises: PortInUse now. The server says it only in its log, and `up` would restart the shim
    for ever."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"Nothing was started: {host}:{port} can't be listened on ({error.strerror}). "
                "Choose another with --port."
            ) from error

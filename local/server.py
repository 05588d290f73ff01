"""The one socket: werkzeug's server, for this machine only."""

from __future__ import annotations

import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from local.front import Front

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Handler(MotoRequestHandler):
    disable_nagle_algorithm = True

    def log(self, *_: Any) -> None:
        """Functions have logs; who asks for what is not kept."""


def bind(port: int, host: str = "127.0.0.1") -> BaseWSGIServer:
    """A socket at ``port``, 0 for any that is free; whose application is still to be set.

    Raises ValueError for another host than this one: moto checks no permissions, and its keys are public.
    """
    if host not in LOOPBACK:
        raise ValueError(f"the local service can be reached from this machine only, not at {host}")
    return make_server(host, port, _nothing, threaded=True, request_handler=_Handler)


def serve(server: BaseWSGIServer, front: Front) -> None:
    """In a thread of its own, until the server is shut down."""
    server.app = front
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()


def _nothing(_: dict[str, Any], __: Any) -> list[bytes]:
    return []

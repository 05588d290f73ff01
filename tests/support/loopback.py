"""HTTP servers of tests, on loopback."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer

from werkzeug.serving import WSGIRequestHandler


class PromptHandler(WSGIRequestHandler):
    """Without Nagle's algorithm, by which every answer waits 40 ms for an acknowledgement."""

    disable_nagle_algorithm = True


@contextmanager
def in_thread(server: HTTPServer) -> Iterator[str]:
    """Its address as long as it serves. Requests that are under way at the end are not waited for, and who hangs up is
    no news for stderr, where commands that run in this process are heard."""
    tell = server.handle_error
    server.handle_error = lambda *where: None if isinstance(sys.exception(), ConnectionError) else tell(*where)  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

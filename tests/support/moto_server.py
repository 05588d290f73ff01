"""AWS's APIs by moto, on loopback, in a process of its own: GDAL does not see an in-process mock, and would wait for a
server whose thread waits for the interpreter lock. Prints its port; ends when its standard input does."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

from moto.moto_api._internal import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from cutline.settings import service
from tests.support.aws import RENEWED, make_resources
from tests.support.loopback import PromptHandler


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    aws_api = DomainDispatcherApplication(create_backend_app)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != RENEWED:
            return aws_api(environ, start_response)
        moto_api_backend.reset()
        make_resources(service())
        return Response()(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=PromptHandler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()

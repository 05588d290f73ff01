"""werkzeug's server without Nagle's algorithm, by which every answer waits 40 ms for an acknowledgement."""

from __future__ import annotations

from werkzeug.serving import WSGIRequestHandler


class PromptHandler(WSGIRequestHandler):
    disable_nagle_algorithm = True

"""The HTTP API. ``app.respond`` answers an event of a REST API; other modules have routes."""

"""The service: what the states of an execution and the HTTP API do. Handlers under functions/ only adapt to this."""

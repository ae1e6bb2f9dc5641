"""The compatible REST interface: an ASGI application (`callwright.api.app.Api`) over the rooms it is given."""

"""A threaded HTTP server that many may come to at once."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class CrowdedServer(ThreadingHTTPServer):
    """The library's lets five wait to be taken; whoever comes then is left to try again after a second, and three more."""

    request_queue_size = 256
    daemon_threads = True

"""From method and path to endpoint: every path with and without ``/v1`` and a trailing slash, and never a redirect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from callwright.api.downloads import Download
from callwright.api.exchange import Answer, Request

Endpoint = Callable[[Request], Awaitable[Answer | Download]]

PREFIX = "/v1"  # Go's library asks with it, all others without


class Route(NamedTuple):
    """A path's segments in braces are variable, with or without an ending: ``/recordings/{recording}.wav``."""

    method: str
    path: str
    endpoint: Endpoint


class Place(NamedTuple):
    """A path that exists: its endpoints by method and the values of its variable segments."""

    path: str
    endpoints: dict[str, Endpoint]
    variables: tuple[str, ...]

    @property
    def allow(self) -> str:
        return ", ".join(sorted(self.endpoints))


class _Node:
    __slots__ = ("children", "endings", "endpoints", "path", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.endings: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.endpoints: dict[str, Endpoint] = {}
        self.path = ""


class Router:
    """A tree of path segments. A fixed segment goes before a variable one, one with an ending before one without."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.split("/")[1:]:
                ending = segment.partition("}")[2]
                if ending:
                    node = node.endings.setdefault(ending, _Node())
                elif segment.startswith("{"):
                    node.variable = node.variable or _Node()
                    node = node.variable
                else:
                    node = node.children.setdefault(segment, _Node())
            node.path = route.path
            node.endpoints[route.method] = route.endpoint
            if route.method == "GET":
                node.endpoints["HEAD"] = route.endpoint

    def find(self, path: str) -> Place | None:
        """The place at a path, percent-decoded and as it came; None when there is none."""
        if path.startswith(f"{PREFIX}/"):
            path = path[len(PREFIX) :]
        if path.endswith("/"):
            path = path[:-1]
        node = self._root
        variables = []
        for segment in path.split("/")[1:]:
            child = node.children.get(segment)
            if child is None:
                child, segment = _variable(node, segment)
                if child is None or not segment:
                    return None
                variables.append(segment)
            node = child
        return Place(node.path, node.endpoints, tuple(variables)) if node.endpoints else None


def _variable(node: _Node, segment: str) -> tuple[_Node | None, str]:
    """The child that takes a segment as a variable, and the variable: an ending that is known is not part of it."""
    for ending, child in node.endings.items():
        if segment.endswith(ending):
            return child, segment.removesuffix(ending)
    return node.variable, segment

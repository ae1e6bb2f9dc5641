"""What a monitoring system reads: counters of calls, refusals, deliveries and commits, and who may read them.

The rooms know nothing of this. `app` hands them the methods below; each costs one increment, because the counter of
every combination of labels is kept.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

# Half a millisecond is a commit on a good disk; at 30 s intents give up waiting.
_COMMIT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)

# A proxy on this machine is a loopback peer, whoever sent the request on its other side.
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})


class _Labelled:
    """A counter with two labels or fewer, and its children by their values."""

    def __init__(self, registry: CollectorRegistry, name: str, help_: str, *labels: str) -> None:
        self._counter = Counter(name, help_, labels, namespace="callwright", registry=registry)
        self._children: dict[tuple[str, ...], Counter] = {}

    def inc(self, *values: str) -> None:
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._counter.labels(*values)
        child.inc()


class _MediaTicks(Collector):
    """The lateness of the ticks of media processes, which count it themselves."""

    def __init__(self, bounds_ms: Sequence[int], ticks: Callable[[], Iterable[tuple[str, Sequence[int]]]]) -> None:
        self._bounds = [str(bound / 1000) for bound in bounds_ms] + ["+Inf"]
        self._ticks = ticks

    def collect(self) -> Iterator[HistogramMetricFamily]:
        late = HistogramMetricFamily(
            "callwright_media_tick_late_seconds",
            "How late media processes were with the 20 ms they owed.",
            labels=["process"],
        )
        for name, counts in self._ticks():
            buckets = list(zip(self._bounds, accumulate(counts), strict=True))
            late.add_metric([name], buckets, sum_value=None)
        yield late


class Backlog(Protocol):
    """How far behind callbacks are: the age of the oldest that is pending, and endpoints that take none."""

    @property
    def oldest_s(self) -> float: ...

    @property
    def failing(self) -> int: ...

    @property
    def disabled(self) -> int: ...


class _Callbacks(Collector):
    """What waits for receivers, read from the database."""

    def __init__(self, look: Callable[[], Backlog]) -> None:
        self._look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            seen = self._look()
        except Exception:
            return  # a database that cannot be read must not take the other metrics with it; /api/health tells of it
        yield GaugeMetricFamily(
            "callwright_webhook_oldest_pending_seconds",
            "How long the oldest pending callback has waited; 0 when none is pending.",
            value=seen.oldest_s,
        )
        down = GaugeMetricFamily(
            "callwright_webhook_endpoints_down",
            "Receivers that fail for five minutes or more with callbacks waiting for them, and those that are disabled.",
            labels=["state"],
        )
        down.add_metric(["failing"], seen.failing)
        down.add_metric(["disabled"], seen.disabled)
        yield down


class Metrics:
    """The metrics of one server. Values of labels come from closed lists, so there are few of them."""

    def __init__(self, version: str, *, legs_live: Callable[[], int] = lambda: 0) -> None:
        """`legs_live` counts the legs that are up; it is asked when the metrics are read."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(namespace="callwright", registry=registry)
        about = Gauge("info", "What runs; always 1.", ("version",), namespace="callwright", registry=registry)
        about.labels(version).set(1)
        self._started = _Labelled(
            registry, "calls_started_total", "Calls that came in or were asked for.", "direction", "world"
        )
        self._ended = _Labelled(registry, "calls_ended_total", "Calls that are over, by their last status.", "status", "world")
        self._refused = _Labelled(registry, "invites_refused_total", "INVITEs refused without a call being made.", "reason")
        self._deliveries = _Labelled(
            registry, "deliveries_total", "Attempts to post a callback, by what came of them.", "result"
        )
        self._endpoints = _Labelled(
            registry, "webhook_endpoints_total", "What happened to receivers of callbacks and to their lanes.", "event"
        )
        self._sentences = _Labelled(
            registry, "speech_sentences_total", "Sentences asked of voices, by what came of it.", "source", "result"
        )
        self._recordings = _Labelled(
            registry, "recordings_total", "Recordings that are over, by what made them and how they ended.", "type", "status"
        )
        self._erased = Counter(
            "calls_erased_total", "Calls that were deleted as their time was over.", namespace="callwright", registry=registry
        )
        self._legs = Gauge("legs_live", "Legs that are up or being set up.", namespace="callwright", registry=registry)
        self._legs.set_function(legs_live)
        self._commits = Histogram(
            "store_commit_seconds",
            "Time a group commit took, sync to disk included.",
            namespace="callwright",
            registry=registry,
            buckets=_COMMIT_BUCKETS,
        )

    def watch_media(self, bounds_ms: Sequence[int], ticks: Callable[[], Iterable[tuple[str, Sequence[int]]]]) -> None:
        """Have `ticks` asked, when the metrics are read, for each media process's count of ticks up to each bound."""
        self._registry.register(_MediaTicks(bounds_ms, ticks))

    def watch_callbacks(self, look: Callable[[], Backlog]) -> None:
        """Have `look` called when the metrics are read."""
        self._registry.register(_Callbacks(look))

    def call_started(self, direction: str, world: str) -> None:
        """`direction` is ``incoming`` or ``outgoing``, `world` is ``live`` or ``test``."""
        self._started.inc(direction, world)

    def call_ended(self, status: str, world: str) -> None:
        self._ended.inc(status, world)

    def invite_refused(self, reason: str) -> None:
        self._refused.inc(reason)

    def delivery(self, result: str) -> None:
        self._deliveries.inc(result)

    def endpoint(self, event: str) -> None:
        """``breaker_opened``, ``breaker_closed``, ``endpoint_disabled``, ``endpoint_enabled`` or ``lane_passed``."""
        self._endpoints.inc(event)

    def recording_over(self, kind: str, status: str) -> None:
        """`kind` is ``ivr``, ``transfer`` or ``call``, `status` ``done`` or ``failed``."""
        self._recordings.inc(kind, status)

    def calls_erased(self, calls: int) -> None:
        self._erased.inc(calls)

    def sentence_spoken(self, source: str, result: str) -> None:
        """`source` is an engine or a service of the settings, `result` ``cached``, ``rendered``, ``failed`` or ``late``."""
        self._sentences.inc(source, result)

    def store_commit(self, seconds: float) -> None:
        """May be called from any thread."""
        self._commits.observe(seconds)

    def exposition(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)


class MetricsEndpoint:
    """``GET /metrics``, an ASGI application: for peers on loopback, and for who has the operator token."""

    def __init__(self, metrics: Metrics, operator_token: str = "") -> None:
        self._metrics = metrics
        self._expected = f"Bearer {operator_token}".encode() if operator_token else None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        status, kind = 200, CONTENT_TYPE_LATEST
        if scope["method"] not in ("GET", "HEAD"):
            status, kind, body = 405, "text/plain; charset=utf-8", b"Metrics can only be read: GET /metrics.\n"
        elif self._may_read(scope.get("client"), headers):
            body = self._metrics.exposition()
        else:
            status, kind = 403, "text/plain; charset=utf-8"
            body = (
                b"Metrics are read from this machine, or with the header Authorization: Bearer <token> "
                b"where the token is the setting http.operator_token.\n"
            )
        answer = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _may_read(self, client: tuple[str, int] | None, headers: dict[bytes, bytes]) -> bool:
        if self._expected is not None and hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return True
        return client is not None and _is_loopback(client[0]) and not _FORWARDED & headers.keys()


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback if mapped is None else bool(mapped.is_loopback)

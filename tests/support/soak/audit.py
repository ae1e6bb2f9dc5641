"""What a soak has to show: every call ended once, every callback came in order, nothing grew, nothing else was logged."""

from __future__ import annotations

import os
import platform
import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import apsw

from callwright.calls import rows
from callwright.clock import SystemClock
from callwright.store import Store, reading
from support.invariants import check_record
from support.server import ABOUT_THE_MACHINE
from support.soak.plan import TRAFFIC
from support.soak.run import Death, Run
from support.soak.watch import Process, Sample, medians

# How a leg ends when nothing died.
ORDINARY = frozenset({"flow_ended", "caller_hangup", "peer_gone"})
# What a death may say in the log.
OF_A_DEATH = frozenset({"child_died", "child_last_words", "signalling_silent"})
PAGE = 1_000
GIVEN_UP_S = 70


class Audit:
    """`faults` has a sentence for each thing that must not be; `lines` is the report."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = run.plan
        self.faults: list[str] = []
        self.calls: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.to_number: Counter[str] = Counter()
        self.calm: Counter[str] = Counter()
        self.calm_calls = 0
        self.events = 0
        self._records()
        self._deliveries()
        self._log()
        self._flat()
        self._end()

    # every call ends once

    def _records(self) -> None:
        store = Store.open(self._run.database, SystemClock())
        try:
            for world_id, call_id in _all_calls(self._run):
                try:
                    check_record(store, world_id, call_id, over=True)
                except AssertionError as error:
                    self.faults.append(f"call {call_id}: {error}")
                self._one(store, world_id, call_id)
        finally:
            store.close()
        if strange := {reason: count for reason, count in self.calm.items() if reason not in ORDINARY}:
            self.faults.append(f"legs ended far from any death for {strange}")
        if not self.calm_calls:
            self.faults.append("no call lived far from the deaths")

    def _one(self, store: Store, world_id: UUID, call_id: UUID) -> None:
        call = rows.find_call(store, world_id, call_id)
        assert call is not None
        reasons = [leg.reason.value if leg.reason else "none" for leg in rows.legs_of(store, world_id, call_id)]
        self.calls[call.status.value] += 1
        self.to_number[call.destination] += 1
        self.reasons.update(reasons)
        if self._is_calm(call.created_us / 1e6, (call.ended_us or call.updated_us) / 1e6):
            self.calm_calls += 1
            self.calm.update(reasons)
        told = [event.seq for event in rows.events_of(store, world_id, call_id)]
        self.events += len(told)
        taken = self._run.customer.order.get(str(call_id), [])
        if taken != told:
            self.faults.append(f"call {call_id}: callbacks {taken} were taken, events are {told}")

    def _is_calm(self, begin: float, end: float) -> bool:
        return all(end < death.wall or begin > self._over(death) for death in self._run.deaths)

    def _over(self, death: Death) -> float:
        """Until when a death is to be seen: on a slow machine its successor takes its time."""
        return death.wall + max(self._plan.shadow, death.back_s + 1.0)

    def _deliveries(self) -> None:
        connection = apsw.Connection(str(self._run.database))
        states = dict(connection.execute("SELECT state, COUNT(*) FROM deliveries GROUP BY state").fetchall())
        if states != {"delivered": self.events}:
            self.faults.append(f"{self.events} events, but deliveries are {states}")
        # A far end that has gone without a word is given up 32 s after our 200, and another 32 s after our BYE.
        ((last_us,),) = connection.execute("SELECT MAX(ended_us) FROM legs")
        query = "SELECT COUNT(*) FROM legs WHERE dialog IS NOT NULL AND ended_us < ?"
        if left := connection.execute(query, (last_us - GIVEN_UP_S * 1_000_000,)).get:
            self.faults.append(f"{left} legs are not known to be over on the wire")
        connection.close()

    # what the log says

    def _log(self) -> None:
        unexplained: Counter[str] = Counter()
        for line in self._run.log.complaints:
            near = any(death.wall <= line["at"] <= self._over(death) for death in self._run.deaths)
            if line["event"] not in ABOUT_THE_MACHINE and not (near and line["event"] in OF_A_DEATH):
                unexplained[f"{line['level']} {line['event']}"] += 1
        if unexplained:
            self.faults.append(f"the log has lines that no death explains: {dict(unexplained)}")
        if self._run.log.strays:
            self.faults.append(f"the log has lines that are none: {self._run.log.strays[:3]}")

    # nothing grows

    def _flat(self) -> None:
        before, after = (one.processes["core"] for one in self._run.idle)
        # Made when first needed: the threads that files and names are looked up in, and those of long reads.
        pool = (os.cpu_count() or 1) + 4 + reading.THREADS
        if after.threads > before.threads + pool:
            self.faults.append(f"core: {before.threads} threads before the load, {after.threads} after it")
        if after.descriptors > before.descriptors + self._plan.descriptors:
            self.faults.append(f"core: {before.descriptors} descriptors before the load, {after.descriptors} after it")
        if not self._plan.judges_growth:
            return
        first, last = self.thirds()
        for name in sorted(set(first) & set(last)):
            was, became = first[name], last[name]
            percent = self._plan.memory_percent if name == "core" else self._plan.child_percent
            if became.pss > was.pss * (1 + percent / 100) + self._plan.memory_mb:
                self.faults.append(f"{name}: PSS grew from {was.pss:.1f} to {became.pss:.1f} MB")
            if became.threads > was.threads:
                self.faults.append(f"{name}: threads grew from {was.threads} to {became.threads}")
            # A media process has four for each leg; how many legs it has is chance.
            if not name.startswith("media") and became.descriptors > was.descriptors + self._plan.descriptors:
                self.faults.append(f"{name}: descriptors grew from {was.descriptors} to {became.descriptors}")
        begin, end = self.ports()
        if end > begin * (1 + self._plan.ports_percent / 100):
            self.faults.append(f"RTP ports in use grew from {begin:g} to {end:g}")

    def ports(self) -> tuple[float, float]:
        return tuple(statistics.median(one.rtp_ports for one in part) for part in self._parts())

    def _parts(self) -> tuple[list[Sample], list[Sample]]:
        warm = [one for one in self._run.samples if one.at >= self._plan.warm_up] or self._run.samples
        third = max(len(warm) // 3, 1)
        return warm[:third], warm[-third:]

    def thirds(self) -> tuple[dict[str, Process], dict[str, Process]]:
        """The medians of each process in the first and in the last third of what follows the warm-up."""
        return tuple(
            {name: medians(part, name) for name in {name for one in part for name in one.processes}} for part in self._parts()
        )

    def _end(self) -> None:
        run = self._run
        if run.exit_code != 0:
            self.faults.append(f"the server ended with {run.exit_code}")
        if run.left_behind:
            self.faults.append(f"processes were left behind: {run.left_behind}")
        if len(run.deaths) < self._plan.deaths:
            self.faults.append(f"{len(run.deaths)} deaths, {self._plan.deaths} were planned")
        for traffic in TRAFFIC:
            good, recorded = run.placed[traffic.name]["SuccessfulCall(C)"], self.to_number[traffic.number]
            if recorded < good:
                self.faults.append(f"{traffic.name}: {good} calls went as they should, {recorded} are on record")
        for name, counts in run.placed.items():
            if name != "callee" and counts["SuccessfulCall(C)"] < counts["FailedCall(C)"]:
                self.faults.append(f"{name}: most of SIPp's calls failed: {counts['FailedCall(C)']}")

    # the report

    def report(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        run, plan = self._run, self._plan
        yield f"date        {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        yield f"machine     {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        yield f"load        {plan.rate:g} calls a second for {plan.seconds:g} s, seed {plan.seed}; {plan.loss} % lost each way"
        for traffic in TRAFFIC:
            counts = run.placed[traffic.name]
            made, good, bad = (counts[f"{word}(C)"] for word in ("OutgoingCall", "SuccessfulCall", "FailedCall"))
            rate = traffic.share * plan.rate
            yield f"  {traffic.name:<22} {rate:5.1f}/s  SIPp placed {made}, {good} went as they should, {bad} not"
        yield f"sound       {run.echo.echoed} packets echoed, {run.echo.lost} lost"
        yield ""
        yield f"deaths      {len(run.deaths)}"
        for death in run.deaths:
            yield f"  {death.at:7.1f} s  {death.how} {death.child:<10} successor up after {death.back_s:.1f} s"
        yield ""
        yield f"calls       {sum(self.calls.values())} on record, {int(run.turned_away)} INVITEs turned away by the core"
        yield f"  ended as  {_counted(self.calls)}"
        yield f"  reasons   {_counted(self.reasons)}"
        yield f"  {self.calm_calls} calls lived farther than {plan.shadow:g} s from any death: {_counted(self.calm)}"
        again = sum(run.customer.again.values())
        yield f"events      {self.events}; callbacks taken {run.customer.posts}, of these {again} for the second time"
        yield f"log         {_counted(Counter(line['event'] for line in run.log.complaints))}"
        yield ""
        yield "process      PSS MB          RSS MB          descriptors   threads   (first third → last third after warm-up)"
        first, last = self.thirds()
        for name in sorted(set(first) & set(last)):
            a, b = first[name], last[name]
            yield (
                f"{name:<11} {a.pss:6.1f} → {b.pss:6.1f}  {a.rss:6.1f} → {b.rss:6.1f}  "
                f"{a.descriptors:5} → {b.descriptors:<5} {a.threads:3} → {b.threads:<3}"
            )
        begin, end = self.ports()
        yield f"RTP ports in use: {begin:g} → {end:g}; none after the last call"
        yield ""
        yield "verdict     " + ("every call ended once and nothing grew" if not self.faults else f"{len(self.faults)} faults")
        yield from (f"  {fault}" for fault in self.faults[:40])


def _all_calls(run: Run) -> Iterator[tuple[UUID, UUID]]:
    connection = apsw.Connection(str(run.database))
    pos = 0
    while page := connection.execute(
        "SELECT pos, world_id, id FROM calls WHERE pos > ? ORDER BY pos LIMIT ?", (pos, PAGE)
    ).fetchall():
        for pos, world_id, call_id in page:  # noqa: B007
            yield UUID(bytes=world_id), UUID(bytes=call_id)
    connection.close()


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"

"""Any sequence of files, repeats, rejections and forgetting, against a plain Python model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.records.samples import DAY, NOW, minute_counts, rejected_file, visitor_file
from adapters.records.sites import Site, passages
from support.long import tries
from support.rows import Passage, readable
from tallyd.contract.passages import Count, Fingerprint, Outcome, ToIngest, read_seen

SOURCES = ("12", "Gate", "gate", "Gate ", "🚪")
CONTENTS = 6


@dataclass
class Model:
    """The expected content of the database."""

    done: dict[Fingerprint, int] = field(default_factory=dict)
    rejected: dict[Fingerprint, int] = field(default_factory=dict)
    minutes: dict[tuple[str, str], Count] = field(default_factory=dict)
    rows: list[tuple[Fingerprint, Passage]] = field(default_factory=list)

    def ingest(self, files: Sequence[ToIngest], *, at: int, keep_rows: bool) -> tuple[Outcome, ...]:
        return tuple(self._one(file, at=at, keep_rows=keep_rows) for file in files)

    def _one(self, file: ToIngest, *, at: int, keep_rows: bool) -> Outcome:
        if file.fingerprint in self.done:
            return "repeat"
        self.rejected.pop(file.fingerprint, None)
        if file.content is None:
            self.rejected[file.fingerprint] = at
            return "rejected"
        rows = [row for batch in file.rows for row in readable(batch)]
        if rows:
            self.done[file.fingerprint] = at
        for minute, count in minute_counts(rows).items():
            key = (file.source, minute)
            self.minutes[key] = self.minutes[key] + count if key in self.minutes else count
        if keep_rows:
            self.rows += [(file.fingerprint, row) for row in rows]
        return "done"

    def prune(self, before: str, before_at: int) -> int:
        was = len(self.rows) + len(self.done) + len(self.rejected)
        self.rows = [(file, row) for file, row in self.rows if row[2] >= before]
        stored = {file for file, _ in self.rows}
        self.done = {file: at for file, at in self.done.items() if at >= before_at or file in stored}
        self.rejected = {file: at for file, at in self.rejected.items() if at >= before_at}
        return was - len(self.rows) - len(self.done) - len(self.rejected)


def seen_text(second: int) -> str:
    return (DAY[0] + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")


rows = st.tuples(
    st.integers(0, 2**63 - 1),
    st.sampled_from(("in", "out", "other")),
    st.integers(0, 86399).map(seen_text),
    st.none() | st.integers(0, 2**31),
)
files = st.tuples(st.sampled_from(SOURCES), st.integers(0, CONTENTS - 1), st.booleans())
steps = st.one_of(
    # Files to hand in and whether to keep their rows, or a second of the day before which to forget.
    st.tuples(st.lists(files, max_size=6), st.booleans()),
    st.integers(0, 86399),
)


@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.lists(rows, max_size=5), min_size=CONTENTS, max_size=CONTENTS), plan=st.data())
def test_the_database_agrees_with_a_plain_model(
    site: Site, contents: list[list[Passage]], plan: st.DataObject
) -> None:
    records, model = site.records(), Model()
    for step, what in enumerate(plan.draw(st.lists(steps, max_size=8))):
        at = NOW + timedelta(seconds=step)
        if isinstance(what, tuple):
            chosen, keep_rows = what
            handed = [
                rejected_file(f"{number}", source=source)
                if is_rejected
                else visitor_file(f"{number}", *contents[number], source=source)
                for source, number, is_rejected in chosen
            ]
            assert records.ingest(handed, now=at, keep_rows=keep_rows) == model.ingest(
                handed, at=43200 + step, keep_rows=keep_rows
            )
        else:
            before = seen_text(what)
            assert records.prune(read_seen(before), most=1000) == model.prune(before, what)

    found = {
        (source, minute): count
        for source in records.counts(*DAY)
        for minute, count in records.minutes(*DAY, sources=[source])
    }
    assert found == model.minutes
    totals: dict[str, Count] = {}
    for (source, _), count in model.minutes.items():
        totals[source] = totals[source] + count if source in totals else count
    assert records.counts(*DAY) == totals
    stored = [(row[0], (row[1], row[2], str(row[3]), row[4])) for row in passages(site, records)]
    expected = [(source, row) for (source, _), row in model.rows]
    assert sorted(stored, key=repr) == sorted(expected, key=repr)
    ledger = {(row.source, row.sha256): row.state for row in records.ledger(rejected=False, most=99)}
    assert ledger == dict.fromkeys(model.done, "done") | dict.fromkeys(model.rejected, "rejected")
    assert records.known(list(ledger)) == set(model.done)

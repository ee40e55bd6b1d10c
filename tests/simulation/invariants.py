"""What must hold after every step of a life, and what must hold some hours after all troubles."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from simulation.network import KEY, PERSON, STATUSES, Posted, values_of
from simulation.perils import plain_connect
from simulation.settings import URLS
from support.ledger import expected_slots
from tallyd.adapters.state.bodies import unpacked
from tallyd.core.schedule.timetable import At

if TYPE_CHECKING:
    from simulation.life import Life

BERLIN = ZoneInfo("Europe/Berlin")
KEPT = timedelta(days=20)
"""Older slots may be deleted by `keep_days`."""
WRITTEN_WITHIN_S = 80 * 60
"""A step takes up to half an hour, and a run waits for its reports."""
MOST_ROWS = {"slot": 4, "alert": 40, "notified": 80, "mark": 60, "outbox": 60, "mute": 10, "memory": 20}


class Violation(AssertionError):  # noqa: N818 # named after the finding
    """A promise is broken."""


class Bugs(logging.Handler):
    """Collects what no log may ever have: a traceback, or something personal or secret."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.found: list[str] = []

    def begin(self) -> None:
        """Hear the log of tallyd, until `end`."""
        log = logging.getLogger("tallyd")
        log.addHandler(self)
        log.setLevel(logging.INFO)
        log.propagate = False

    def end(self) -> None:
        logging.getLogger("tallyd").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.getMessage()} {record.__dict__}"
        if record.exc_info:
            self.found.append(
                f"{record.getMessage()}\n{logging.Formatter().formatException(record.exc_info)}"
            )
        if PERSON in text or KEY in text:
            self.found.append(f"personal or secret in the log: {record.getMessage()}")


class Auditor:
    """Looks at what anybody can see: the files, the databases, the log, the chats, the upstream."""

    def __init__(self, life: Life, folder: Path) -> None:
        self._life, self._folder = life, folder
        self._bugs = Bugs()
        self._state: sqlite3.Connection | None = None
        self._records: sqlite3.Connection | None = None
        self._versions: dict[str, int] = {}
        self._last_id = 0
        self._unwritten: dict[int, float] = {}
        """Readings without a file, each since when (monotonic) nothing keeps the daemon from writing it."""
        self._newest: dict[str, tuple[int, str]] = {}
        """The newest reading of each poller that is written: its number, and when it was taken."""
        self._answers: dict[tuple[int, ...], int] = {}
        self._heard: dict[str, int] = {}
        self._told: Counter[tuple[Any, ...]] = Counter()
        self._since: dict[time, datetime] = {}
        self._first_since: dict[time, datetime] = {}
        self._first_at: datetime | None = None
        self._dependent: set[str] = set()
        """Alerts that nobody hears of while the network is down."""
        self.had_phone_always = True

    def __enter__(self) -> Self:
        self._bugs.begin()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bugs.end()
        for one in (self._state, self._records):
            if one is not None:
                one.close()

    # -- after every step --------------------------------------------------------------------------------

    def started(self) -> None:
        """Begin to look at the databases of a daemon that has started."""
        if self._state is None:
            self._state = plain_connect(self._folder / "state" / "state.db")
            self._first_at = self._life.clock.now()
        self._note_times()

    def look(self) -> None:
        """Check what may have changed in the last step. Raises `Violation`."""
        if self._bugs.found:
            raise Violation(self._bugs.found[0])
        self._look_at_chats()
        if self._state is not None and self._has_changed("state", self._state):
            self._look_at_readings(self._state)
            self._look_at_reports(self._state)
        self._look_at_unwritten()
        if self._records is None and (path := self._folder / "state" / "records.db").exists():
            self._records = plain_connect(path)
        if self._records is not None and self._has_changed("records", self._records):
            self._look_at_passages(self._records)
        self._note_times()

    def _has_changed(self, name: str, db: sqlite3.Connection) -> bool:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        before, self._versions[name] = self._versions.get(name), version
        return bool(version != before)

    def _note_times(self) -> None:
        process = self._life.process
        if process is None:
            return
        settings: Any = process.config.settings
        now, times = self._life.clock.now(), settings.pollers["divera"].at
        self._since = {each: self._since.get(each, now) for each in times}
        self._first_since = {**self._since, **self._first_since}
        self.had_phone_always &= "phone" in settings.channels
        for name, url in URLS.items():
            if name not in settings.channels:  # when it is back it is told what is open, as any new one
                self._told = Counter({news: n for news, n in self._told.items() if news[0] != url})
        self._dependent |= process.config.hosts.keys()

    def _look_at_chats(self) -> None:
        """Nobody hears the same news of the same alert twice from one process."""
        for url, heard in self._life.chats.heard.items():
            for each in heard[self._heard.get(url, 0) :]:
                news = (url, each.key, each.raised_at, each.version, each.news, each.process)
                self._told[news] += 1
                is_twice = self._told[news] > 1 and each.news != "reminder"
                if is_twice and not any(one.is_unsure for one in heard if one.key == each.key):
                    raise Violation(f"{url} heard twice: {each}")
            self._heard[url] = len(heard)

    def _look_at_readings(self, db: sqlite3.Connection) -> None:
        marks = ",".join(map(str, self._unwritten)) or "0"
        rows = db.execute(
            "SELECT id, poller, outcome, body, out_name, written, part FROM reading"
            f" WHERE id>? OR id IN ({marks}) ORDER BY id",
            (self._last_id,),
        )
        written = set()
        for id_, poller, outcome, body, name, is_written, part in rows.fetchall():
            self._last_id = max(self._last_id, id_)
            if outcome != "taken":
                continue
            if not is_written:
                self._unwritten.setdefault(id_, self._life.clock.monotonic())
                continue
            self._unwritten.pop(id_, None)
            content = json.loads(unpacked(body))
            self._check_file(poller, name, content)
            written.add(poller)
            if part is None:
                self._newest[poller] = max(self._newest.get(poller, (0, "")), (id_, content["taken_at"]))
        for poller in written & self._newest.keys():
            self._check_latest(db, poller)

    def _look_at_unwritten(self) -> None:
        """A file that could not be written is written soon, without waiting for the next reading."""
        life, now_s = self._life, self._life.clock.monotonic()
        if life.process is None or life.perils.is_disk_full or life.perils.is_out_full:
            self._unwritten = dict.fromkeys(self._unwritten, now_s)
        for id_, since_s in self._unwritten.items():
            if now_s - since_s > WRITTEN_WITHIN_S:
                raise Violation(f"the reading {id_} waits for its file for {now_s - since_s:.0f} s")

    def _check_latest(self, db: sqlite3.Connection, poller: str) -> None:
        """The newest reading is in latest.json. What is written late does not replace it."""
        newest, taken_at = self._newest[poller]
        (waiting,) = db.execute(
            "SELECT count(*) FROM reading WHERE poller=? AND id>? AND outcome='taken' AND part IS NULL",
            (poller, newest),
        ).fetchone()
        if waiting:
            return
        path = self._folder / "out" / poller / "latest.json"
        latest = json.loads(path.read_bytes())["taken_at"] if path.exists() else None
        if latest != taken_at:
            raise Violation(f"latest.json of {poller} is of {latest}, and one of {taken_at} is written")

    def _check_file(self, poller: str, name: str, body: dict[str, Any]) -> None:
        path = self._folder / "out" / poller / name
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise Violation(f"{poller}/{name} is marked as written, but: {error}") from error
        if content != body:
            raise Violation(f"{poller}/{name} differs from state.db")
        if poller == "divera":
            self._check_answer(name, content)

    def _check_answer(self, name: str, content: dict[str, Any]) -> None:
        counts = tuple(content["counts"].get(status, 0) for status in STATUSES)
        given = len(self._life.network.counted.get(counts, ()))
        self._answers[counts] = self._answers.get(counts, 0) + 1
        if self._answers[counts] > given:
            raise Violation(f"divera/{name}: {counts} was given {given} times, and counted more often")

    def _look_at_reports(self, db: sqlite3.Connection) -> None:
        for day, body in db.execute("SELECT day, body FROM outbox WHERE state='sent'"):
            if body not in self._life.network.bodies:
                raise Violation(f"the report of {day} counts as sent, and the upstream never had it: {body}")

    def _look_at_passages(self, db: sqlite3.Connection) -> None:
        try:
            (rows, people) = db.execute("SELECT count(*), count(DISTINCT person_id) FROM passage").fetchone()
        except sqlite3.OperationalError:
            return  # no tables yet
        if rows != people:
            raise Violation(f"{rows} passages of {people} people: one was counted twice")

    # -- at the end --------------------------------------------------------------------------------------

    def at_end(self) -> None:
        """Check that everything is well, hours after the last trouble. Raises `Violation`."""
        self.look()
        life = self._life
        if life.process is None or self._state is None or self._records is None:
            raise Violation("the daemon does not run")
        self._check_slots(self._state)
        self._check_files(self._state)
        self._check_passages(self._records)
        self._check_alerts(self._state)
        self._check_sizes(self._state)
        if life.cameras.waiting():
            raise Violation(f"still in the inbox: {life.cameras.waiting()[0]}")
        self._check_secrets()

    def _check_slots(self, db: sqlite3.Connection) -> None:
        now = self._life.clock.now()
        pending = db.execute(
            "SELECT poller, job, slot, state FROM slot WHERE due_at<?", (_text(now),)
        ).fetchall()
        if pending:
            raise Violation(f"still pending: {pending[0]}")
        ended = {
            slot.partition("[")[0]
            for (slot,) in db.execute("SELECT slot FROM reading WHERE poller='divera' AND slot IS NOT NULL")
        }
        if not self._life.clock_was_wrong:
            for name in ended:
                nominal = datetime.fromisoformat(name)
                if nominal.replace(tzinfo=BERLIN) < self._first_since[nominal.time()] - timedelta(minutes=61):
                    raise Violation(f"the slot {name} was nobody's yet")
        first = max(min(self._since.values()), now - KEPT)
        when = At(tuple(sorted(self._since)))
        for name, at in expected_slots(when, BERLIN, after=first, until=now - timedelta(minutes=5)).items():
            is_due = at > self._since[datetime.fromisoformat(name).time()]
            if name not in ended and is_due:
                raise Violation(f"the slot {name} was lost in silence")
        settings: Any = self._life.process.config.settings if self._life.process else None
        every_s = settings.pollers["park"].report.every
        grid = {slot for (slot,) in db.execute("SELECT slot FROM reading WHERE poller='park'")}
        at_s = (max(self._first_at or now, now - KEPT).timestamp() // every_s + 1) * every_s
        while at_s < now.timestamp() - 300:
            at = datetime.fromtimestamp(at_s, UTC)
            if at.isoformat() not in grid:
                raise Violation(f"the report of {at.isoformat()} was lost in silence")
            at_s += every_s

    def _check_files(self, db: sqlite3.Connection) -> None:
        rows = {
            f"{poller}/{name}"
            for poller, name in db.execute("SELECT poller, out_name FROM reading WHERE outcome='taken'")
        }
        out = self._folder / "out"
        files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
        files = {name for name in files if not name.endswith("/latest.json")}
        if rows != files:
            raise Violation(f"in state.db or in out/, but not in both: {sorted(rows ^ files)[:5]}")
        for (poller,) in db.execute("SELECT DISTINCT poller FROM reading WHERE outcome='taken'"):
            (newest,) = db.execute(
                "SELECT body FROM reading WHERE poller=? AND outcome='taken' AND part IS NULL"
                " ORDER BY id DESC LIMIT 1",
                (poller,),
            ).fetchone()
            latest = json.loads((out / poller / "latest.json").read_bytes())
            if latest["taken_at"] != json.loads(unpacked(newest))["taken_at"]:
                raise Violation(f"latest.json of {poller} is not its newest reading")

    def _check_passages(self, db: sqlite3.Connection) -> None:
        life = self._life
        own = life.cameras.inbox / ".tallyd"
        done = {path.read_bytes() for path in (own / "done").rglob("*") if path.is_file()}
        rejected = {path.read_bytes() for path in (own / "rejected").rglob("*") if path.is_file()}
        for one in life.cameras.dropped:
            if one.content not in done and one.content not in rejected:
                raise Violation(f"the file {one.source}/{one.name} is gone")
            if not one.is_good and one.content in done:
                raise Violation(f"the bad file {one.source}/{one.name} counts as good")
            if one.is_good and one.content not in done and not life.clock_was_wrong:
                raise Violation(f"the good file {one.source}/{one.name} was rejected")
        counted = counted_by_day(db)
        truth = life.cameras.counts(done)
        wrong = {key for key in truth.keys() | counted.keys() if truth[key] != counted[key]}
        if wrong:
            key = min(wrong)
            raise Violation(f"{key}: {counted[key]} passages are stored, {truth[key]} came")
        if not life.clock_was_wrong:
            self._check_reports(truth)

    def _check_reports(self, truth: Counter[tuple[str, str, int]]) -> None:
        last = last_reports(self._life.network.posted)
        today = self._life.clock.now().astimezone(BERLIN).date().isoformat()
        days = {day for _, day, _ in truth if min(last, default="9") <= day < today}
        for day in sorted(days):
            n_in, n_out = (sum(truth[key] for key in truth if key[1:] == (day, way)) for way in (0, 1))
            said = last.get(day, {})
            if (said.get("CountAccuIn"), said.get("CountAccuOut")) != (n_in, n_out):
                raise Violation(f"the last report of {day} says {said}, and {n_in} came, {n_out} left")

    def _check_alerts(self, db: sqlite3.Connection) -> None:
        open_ones = {
            key
            for (key,) in db.execute("SELECT key FROM alert WHERE raised_at IS NOT NULL AND over_at IS NULL")
        }
        if open_ones:
            raise Violation(f"still open: {sorted(open_ones)}")
        for name, url in URLS.items():
            if name == "phone" and not self.had_phone_always:
                continue
            if believed := self._life.chats.believes_open(url):
                raise Violation(f"{name} still believes in {sorted(believed)}")
            heard = {(each.key, each.raised_at) for each in self._life.chats.heard.get(url, ())}
            rows = db.execute(
                "SELECT key, max(raised_at), is_unwatched FROM incident GROUP BY key"
            ).fetchall()
            for key, raised_at, is_unwatched in rows:
                is_told = (key, datetime.fromisoformat(raised_at)) in heard
                if not (is_told or is_unwatched or key in self._dependent):
                    raise Violation(f"{name} never heard of {key}, raised at {raised_at}")

    def _check_sizes(self, db: sqlite3.Connection) -> None:
        for table, most in MOST_ROWS.items():
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
            if rows > most:
                raise Violation(f"the table {table} has {rows} rows")
        if left := db.execute("SELECT * FROM notified WHERE key NOT IN (SELECT key FROM alert)").fetchall():
            raise Violation(f"a notification without its alert stays for ever: {left[0]}")

    def _check_secrets(self) -> None:
        for path in self._folder.rglob("*"):
            if path.is_file() and path.name != "config.json":
                content = path.read_bytes()
                if PERSON.encode() in content or KEY.encode() in content:
                    raise Violation(f"personal or secret in {path.relative_to(self._folder)}")
        for text in self._life.chats.texts:
            if PERSON in text or KEY in text:
                raise Violation(f"personal or secret in a message: {text}")


def counted_by_day(db: sqlite3.Connection) -> Counter[tuple[str, str, int]]:
    """Return how many passages are stored, by source, local day and direction."""
    counted: Counter[tuple[str, str, int]] = Counter()
    for source, minute, *numbers in db.execute(
        "SELECT source, minute, n_in, n_out, n_other FROM passage_minute WHERE poller='park'"
    ):
        day = datetime.fromisoformat(minute).replace(tzinfo=UTC).astimezone(BERLIN).date().isoformat()
        for direction, number in enumerate(numbers):
            counted[source, day, direction] += number
    return counted


def last_reports(posted: Iterable[Posted]) -> dict[str, dict[str, int]]:
    """Return what the upstream was told last of each day."""
    last: dict[str, dict[str, int]] = {}
    for each in posted:
        day = each.body[0]["StartTime"]
        last[f"{day[:4]}-{day[4:6]}-{day[6:8]}"] = values_of(each.body)[1]
    return last


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()

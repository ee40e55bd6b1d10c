"""What two daemons on one PostgreSQL did, against the truth.

No connection may change something in two terms, and no term may have two: it would be a daemon that went on
after another one had taken over.

A message may be sent twice only if it was under way while its daemon was disturbed: it arrived, and the
database has no note of it. Such a message needs a window of its daemon; and the daemon must not have logged
before that window that the message was sent, which it does after the note.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from support.chatservers import Posted
from support.standby_pair import NAMES, Pair, Window
from tallyd.core.naming import instant_text, read_instant

UNDER_WAY_S = 5.0
"""A message is noted at the latest so long after it arrived, on a machine that does much else."""


def verdict(pair: Pair) -> list[str]:
    """Return what is wrong."""
    ended = ["told systemd that it stops, and went on as a standby"] * pair.said_stopping
    found = [*_stale(pair), *_slots(pair), *_files(pair), *unreported(pair), *_outdated(pair), *ended]
    return [*found, *(f"never heard: {each}" for each in unheard(pair)), *_messages(pair)]


def is_quiet(pair: Pair) -> bool:
    """Whether the chat knows how everything ended, and the upstream has the sums."""
    return not unheard(pair) and not unreported(pair)


def unheard(pair: Pair) -> list[str]:
    """Return the last incident of each key if it has ended, and the chat only heard of its beginning.

    One that is followed by another of its key may end unheard: a channel gets the state of now.
    """
    found = pair.rows(
        "SELECT key, raised_at FROM incident WHERE ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM"
        " incident_notice AS n WHERE n.key=incident.key AND n.raised_at=incident.raised_at"
        " AND news='over')"
        " AND EXISTS (SELECT 1 FROM incident_notice AS n WHERE n.key=incident.key"
        " AND n.raised_at=incident.raised_at) AND raised_at=(SELECT max(raised_at) FROM incident AS other"
        " WHERE other.key=incident.key)"
    )
    return [f"{key} of {at}" for key, at in found]


def _stale(pair: Pair) -> list[str]:
    apps = pair.rows("SELECT app FROM public.audit GROUP BY app HAVING count(DISTINCT term) > 1")
    terms = pair.rows("SELECT term FROM public.audit GROUP BY term HAVING count(DISTINCT app) > 1")
    return [
        *(f"{app} changed something in several terms" for (app,) in apps),
        *(f"in term {term}, more than one changed something" for (term,) in terms),
    ]


def _slots(pair: Pair) -> list[str]:
    found = pair.rows("SELECT due_at FROM reading WHERE poller='divera' AND due_at IS NOT NULL")
    rows = Counter(str(at) for (at,) in found)
    first, last = min(rows), max(rows)
    texts = (instant_text(at.replace(microsecond=0)) for at in pair.due)
    lost = [text for text in texts if first <= text <= last and not rows[text]]
    return [f"lost in silence: {len(lost)} slots, {lost[:3]}"] * bool(lost) + [
        f"twice: {at}" for at, times in rows.items() if times > 1
    ]


def _files(pair: Pair) -> list[str]:
    name, _ = pair.leader()
    rows = pair.rows("SELECT poller, out_name, body FROM reading WHERE out_name IS NOT NULL")
    found = []
    for poller, out_name, body in rows:
        path = pair.folder / name / "out" / str(poller) / str(out_name)
        if "-2" in path.name[17:]:
            found.append(f"a second file: {out_name}")
        if not path.exists():
            found.append(f"{name} lacks {out_name}")
        elif json.loads(path.read_text())["taken_at"] != json.loads(str(body))["taken_at"]:
            found.append(f"{name} has another {out_name}")
    return found


# -- reports -----------------------------------------------------------------------------------------------


def unreported(pair: Pair) -> list[str]:
    """Return each day of which the upstream has not got the right sum last."""
    rows = pair.rows("SELECT minute::date::text, sum(n_in) FROM passage_minute GROUP BY 1")
    last = dict(map(_reported, pair.web.at("/report")))
    return [
        f"reported for {day}: {last.get(str(day))} of {people}"
        for day, people in rows
        if last.get(str(day)) != int(str(people))
    ]


def _outdated(pair: Pair) -> Iterator[str]:
    """Yield each report that came after a newer one of its day: people never become fewer."""
    last: dict[str, int] = {}
    for post in pair.web.at("/report"):
        day, people = _reported(post)
        if people < last.get(day, 0):
            yield f"{post.headers['X-From']} reported {people} people after {last[day]}"
        last[day] = people


def _reported(post: Posted) -> tuple[str, int]:
    """Return the day of a report, and how many people came."""
    tags = {tag["TagType"]: tag for tag in post.json}
    came = tags["CountAccuIn"]
    return datetime.strptime(came["StartTime"], "%Y%m%d%H%M%S").date().isoformat(), int(came["TagValue"])  # noqa: DTZ007 # a day


# -- messages ----------------------------------------------------------------------------------------------


def _messages(pair: Pair) -> Iterator[str]:
    """Yield the messages that no window explains, and the notes of what was noted before or never sent."""
    pair.unnoted = 0
    for name in NAMES:
        noted = pair.rows(
            "SELECT now->>'at', now->>'key', was->>'at', was->>'version'=now->>'version' FROM public.audit"
            f" WHERE name='notified' AND folder LIKE '%/{name}/state'"
        )
        times = {read_instant(str(at)).timestamp() for at, *_ in noted}
        for event in unmatched(pair.web.at(f"/chat/{name}"), times):
            if not isinstance(event, Posted):
                yield f"{name} noted at {datetime.fromtimestamp(event, UTC)} what it never sent"
                continue
            pair.unnoted += 1
            if not any(_explains(pair, each, event) for each in pair.windows if each.name == name):
                yield f"{name} has not noted that it sent: {_text(event)}"
        for at, key, before, is_same in noted:
            if is_same and at != before:  # else the answer to a COMMIT got lost, and it was stored once more
                yield f"{name} sent {key} at {before}, and again at {at}"


def unmatched(posts: Iterable[Posted], noted: Iterable[float]) -> Iterator[Posted | float]:
    """Yield the messages of a daemon that it has not noted, and the times of its notes without a message.

    A daemon sends one message at a time to a channel, and each note has the time at which one was accepted.
    """
    events: list[tuple[float, Posted | None]] = [
        *((post.at_s, post) for post in posts),
        *((at_s, None) for at_s in noted),
    ]
    waiting: Posted | None = None
    for at_s, post in sorted(events, key=lambda event: event[0]):
        if post is None and waiting is None:
            yield at_s
        if post is not None and waiting is not None:
            yield waiting
        waiting = post
    if waiting is not None:
        yield waiting


def _explains(pair: Pair, window: Window, post: Posted) -> bool:
    """Whether a message was under way when its daemon was disturbed."""
    if not window.begin_s - UNDER_WAY_S <= post.at_s <= window.end_s + UNDER_WAY_S:
        return False
    sent = (line for line in pair.daemons[window.name].log() if line["event"] == "notice sent")
    logged = (datetime.fromisoformat(line["time"]).timestamp() for line in sent)
    return not any(post.at_s <= at_s < window.begin_s for at_s in logged)


def _text(post: Posted) -> str:
    return str(post.json["message"])

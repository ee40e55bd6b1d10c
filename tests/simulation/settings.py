"""The config file of a simulated machine, and its edits."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from simulation.network import KEY

URLS = {"ops": "json://ops.sim/hook", "phone": "json://phone.sim/hook"}
TIMES = (
    "00:00",
    "02:30",
    "05:00",
    "06:30",
    "08:00",
    "10:00",
    "12:00",
    "14:30",
    "16:30",
    "18:00",
    "20:00",
    "23:30",
)


@dataclass
class SimConfig:
    """A config that a person edits. `written` counts the edits, so that each is seen by the file's time."""

    path: Path
    chance: Random
    content: dict[str, Any] = field(default_factory=dict)
    written: int = 0
    is_spoilt: bool = False

    def __post_init__(self) -> None:
        chance = self.chance
        self.content = {
            "name": "sim",
            "timezone": "Europe/Berlin",
            "out": {"keep_days": chance.choice([None, 30])},
            "retry": {"attempts": chance.choice([1, 2, 3]), "first_wait": "15s", "longest_wait": "2m"},
            "channels": dict(URLS),
            "alerts": {
                "channels": ["ops", "phone"],
                "raise_after": chance.choice([1, 1, 2]),
                "resolve_after": chance.choice([1, 1, 2]),
                "remind_every": chance.choice(["6h", "1d"]),
                "depends": chance.random() < 0.5,
            },
            "heartbeat": {"url": "https://beat.sim/ping", "every": "6h"},
            "pollers": {
                "divera": {
                    "kind": "divera",
                    "url": "https://divera.sim/api/users",
                    "accesskey": KEY,
                    "at": sorted(chance.sample(TIMES, 8)),
                    "at_least": [{"statuses": ["50101"], "count": 10}],
                },
                "park": {
                    "kind": "visitors",
                    "inbox": "inbox/park",
                    "sweep_every": chance.choice(["20m", "1h"]),
                    # The file system dates what is moved by the real clock; and the files are the truth here.
                    "done_keep_days": 36500,
                    "rejected_keep_days": 36500,
                    "sources": {"12": {"label": "Gate 12"}, "23": {}},
                    "no_files": {"after": "3h"},
                    "report": {
                        "every": chance.choice(["1h", "2h"]),
                        "url": "https://upstream.sim/report",
                        "ssid": "SS-007",
                        "success": {"field": "Desc", "equals": ["OK"]},
                    },
                },
                "apps": self._servers("app"),
                "more": self._servers("other"),
            },
        }

    def _servers(self, host: str) -> dict[str, Any]:
        target = {"url": f"https://{host}.sim/version", "stale_after": "3h", "remind_every": "6h"}
        return {"kind": "servers", "every": "1h", "write_every": "6h", "targets": {"PROD": target}}

    def write(self) -> None:
        """Write the file, as an editor does that replaces it."""
        self.is_spoilt = False
        self._replace(json.dumps(self.content, indent=1))

    def spoil(self) -> None:
        """Write half of it."""
        self.is_spoilt = True
        self._replace(json.dumps(self.content)[:200])

    def edit(self) -> str:
        """Change something, and return what."""
        edits = (
            self._time,
            self._more,
            self._more,
            self._staff,
            self._age,
            self._rules,
            self._channel,
        )
        edit = self.chance.choice(edits)
        edit()
        self.write()
        return edit.__name__

    def count_often(self) -> None:
        """Count people every two hours, so that it is soon known that all is well."""
        times = {*self.times(), *(f"{hour:02}:00" for hour in range(0, 24, 2))}
        self.content["pollers"]["divera"]["at"] = sorted(times)
        self.write()

    def times(self) -> list[str]:
        found: list[str] = self.content["pollers"]["divera"]["at"]
        return found

    def channels(self) -> dict[str, str]:
        """Return the URLs of the channels that are told, by name."""
        return {name: self.content["channels"][name] for name in self.content["alerts"]["channels"]}

    def _time(self) -> None:
        times = set(self.times()) ^ {self.chance.choice(TIMES)}
        if times:
            self.content["pollers"]["divera"]["at"] = sorted(times)

    def _more(self) -> None:
        if self.content["pollers"].pop("more", None) is None:
            self.content["pollers"]["more"] = self._servers("other")

    def _staff(self) -> None:
        self.content["pollers"]["divera"]["at_least"][0]["count"] = self.chance.choice([4, 10, 14])

    def _age(self) -> None:
        self.content["pollers"]["apps"]["targets"]["PROD"]["stale_after"] = self.chance.choice(["2h", "4h"])

    def _rules(self) -> None:
        self.content["alerts"]["raise_after"] = self.chance.choice([1, 2])

    def _channel(self) -> None:
        if self.content["channels"].pop("phone", None) is None:
            self.content["channels"]["phone"] = URLS["phone"]
            self.content["alerts"]["channels"] = ["ops", "phone"]
        else:
            self.content["alerts"]["channels"] = ["ops"]

    def _replace(self, text: str) -> None:
        self.written += 1
        beside = self.path.with_suffix(".new")
        beside.write_text(text)
        os.utime(beside, (self.written, self.written))
        beside.replace(self.path)

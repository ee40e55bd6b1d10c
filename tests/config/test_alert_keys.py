"""Which keys a config can raise."""

from __future__ import annotations

import json
from pathlib import Path

from tallyd.config.alert_keys import possible_keys
from tallyd.config.load import load
from tallyd.core.alerts.mutes import may_meet


def test_a_config_can_raise_what_its_pollers_find_and_what_tallyd_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    content = {
        "timezone": "UTC",
        "channels": {"ops": "json://ops.example/x"},
        "pollers": {
            "divera": {
                "kind": "divera",
                "accesskey": "k" * 40,
                "at": ["08:00"],
                "at_least": [{"statuses": ["1", "2"], "count": 3}],
            },
            "park": {"kind": "visitors", "inbox": "in", "sources": {"a b": {}}, "no_files": {"after": "5m"}},
            "apps": {
                "kind": "servers",
                "targets": {
                    "PROD": {"url": "http://127.0.0.1/", "stale_after": "1h"},
                    "TEST": {"url": "http://127.0.0.1/", "notify": False, "stale_after": "1h"},
                },
            },
        },
    }
    path.write_text(json.dumps(content))
    keys = possible_keys(load(path, environ={}))
    assert len(set(keys)) == len(keys)
    for key in (
        "divera/1+2/below",
        "divera/count/failed",
        "park/sweep/overdue",
        "park/a b/no-files",
        "park/any/rejected",
        "park/inbox/inbox-gone",
        "apps/PROD/stale",
        "apps/database/unstored",
        "tallyd/out",
        "tallyd/ops/undelivered",
        "tallyd/retention/crashed",
    ):
        assert any(may_meet(key, possible) for possible in keys), key
    for key in ("divera/1/below", "park/a/no-files", "apps/TEST/stale", "tallyd/phone/undelivered", "x/y/z"):
        assert not any(may_meet(key, possible) for possible in keys), key

"""What a config may say about a servers poller, and what is wrong with what it may not."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from tallyd.config.problems import problems_of
from tallyd.config.secrets import SecretFiles
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.workers_spec import WorkersNeeded
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.sources.extraction import JsonField
from tallyd.pollers.servers.sources.http import HttpSource
from tallyd.pollers.servers.targets.target import Target

URL = "https://app.example/version"
SQLITE = {"url": "sqlite:////a"}
OF_SHOPS = {"B": {"url": URL, "group": "shops"}}


def read(*, folder: Path | None = None, **keys: Any) -> ServersPoller:
    context = {"secrets": SecretFiles(folder, os.environ)} if folder else None
    return ServersPoller.model_validate_json(json.dumps({"kind": "servers", **keys}), context=context)


def faults(*, folder: Path | None = None, **keys: Any) -> list[str]:
    """Return what a person reads: place and text."""
    with pytest.raises(ValidationError) as caught:
        read(folder=folder, **keys)
    return [f"{one.place}: {one.text}" for one in problems_of(caught.value, ServersPoller)]


def one_target(target: dict[str, Any] | None = None, /, **keys: Any) -> Target:
    (found,) = read(targets={"PROD": {"url": URL, **(target or {})}}, **keys).checked
    return found


def request_of(target: Target) -> HttpSource:
    assert isinstance(target.source, HttpSource)
    return target.source


def source(**keys: Any) -> HttpSource:
    """Return the source of an address alone, but for these keys."""
    plain: dict[str, Any] = {"url": URL, "method": "GET", "headers": {}, "body": None}
    plain |= {"ca_file": None, "client_cert": None, "extraction": JsonField("computed_time")}
    return HttpSource(**plain | keys)


def test_an_address_is_enough() -> None:
    found = read(targets={"PROD": {"url": URL}})
    (target,) = found.checked
    assert (found.every, found.workers, found.write_every) == (60, 16, 900)
    assert (target.name, target.source, target.form) == ("PROD", source(), "iso")
    assert (target.limits.late_after_s, target.limits.stale_after_s) == (450, 900)
    assert (target.is_recorded, target.is_notified, target.is_logged) == (True, True, True)
    assert (target.timeout_s, target.has_reminder, target.zone) == (10, False, None)


def test_a_target_goes_before_the_defaults_key_by_key() -> None:
    defaults = {
        "field": "a.b",
        "format": "epoch",
        "timezone": "Europe/Berlin",
        "stale_after": "10m",
        "remind_every": "5m",
        "record": False,
        "timeout": "3s",
        "headers": {"Authorization": "Bearer one", "X-A": "abcd"},
    }
    own = {"format": "iso", "record": True, "remind_every": None, "headers": {"authorization": "Bearer two"}}
    found = read(defaults=defaults, targets={"A": {"url": URL}, "B": {"url": URL, **own}})
    a, b = found.checked
    assert (a.source.named, a.form, str(a.zone), a.is_recorded, a.timeout_s) == (
        "a.b",
        "epoch",
        "Europe/Berlin",
        False,
        3,
    )
    assert (a.limits.late_after_s, a.remind_every_s, a.has_reminder) == (300, 300, True)
    assert (b.source.named, b.form, b.is_recorded, b.remind_every_s, b.has_reminder) == (
        "a.b",
        "iso",
        True,
        None,
        True,
    )
    assert {name: value.reveal() for name, value in request_of(a).headers.items()} == defaults["headers"]
    assert {name: value.reveal() for name, value in request_of(b).headers.items()} == {
        "X-A": "abcd",
        "authorization": "Bearer two",
    }


FAULTS_OF_SOURCES = {
    "a relative path": ({"file": "a/*.csv"}, "PROD.file: must be an absolute path"),
    "a line break": ({"file": "/a\n"}, "PROD.file: contains a control"),
    "header": ({"file": "/a/*", "header": "Age"}, "PROD.header: has no effect with `file`"),
    "a format": ({"file": "/a/*", "format": "epoch"}, "PROD.format: has no effect"),
    "files": ({"file": "/a/*", "each": {"items": "a", "time": "b"}}, "PROD.each: has no effect"),
    "a header of items": (
        {"url": URL, "header": "Age", "each": {"items": "a", "time": "b"}},
        "PROD.header: has no effect with `each`",
    ),
    "items, no time": ({"url": URL, "each": {"items": "a"}}, "PROD.each.time: is missing"),
    "no path": ({"url": URL, "each": {"items": "a[", "time": "b"}}, "each.items: is not JMESPath"),
    "no database": ({"sql": {"query": "SELECT 1"}}, "PROD.sql.url: is missing"),
    "no query": ({"sql": SQLITE}, "PROD.sql.query: is missing"),
    "delete": ({"sql": {**SQLITE, "query": "delete from t"}}, "sql.query: must be a SELECT"),
    "a comment with SELECT": (
        {"sql": {**SQLITE, "query": "/* SELECT */ -- SELECT\n (drop table t)"}},
        "sql.query: must be a SELECT",
    ),
    "only comments": ({"sql": {**SQLITE, "query": "/**/" * 2400}}, "sql.query: must be a SELECT"),
    "half a comment": ({"sql": {**SQLITE, "query": "/* SELECT 1"}}, "sql.query: must be a SELECT"),
    "a relative database": ({"sql": {"url": "sqlite:///a", "query": "SELECT 1"}}, "by its absolute path"),
    "another kind": ({"sql": {"url": "oracle://Zq7-x@h", "query": "SELECT 1"}}, "sql.url: must be sqlite"),
    "a long timeout": (
        {"sql": {**SQLITE, "query": "SELECT 1"}, "timeout": "1h"},
        "PROD.timeout: is longer than a fifth of `every`",
    ),
}


@pytest.mark.parametrize(("target", "fault"), FAULTS_OF_SOURCES.values(), ids=FAULTS_OF_SOURCES)
def test_what_is_wrong_with_files_and_databases_is_said(target: dict[str, Any], fault: str) -> None:
    (said,) = faults(targets={"PROD": target})
    assert fault in said
    assert "Zq7" not in said


def test_the_url_of_a_file_is_no_secret_and_that_of_a_server_is_one(tmp_path: Path) -> None:
    reader = SecretFiles(tmp_path, {})
    urls = ["sqlite:////srv/app.db", "postgresql+psycopg://me:Zq7-x@db.example/app"]
    targets = {url[:6]: {"sql": {"url": url, "query": "SELECT 1"}} for url in urls}
    text = json.dumps({"kind": "servers", "targets": targets})
    found = ServersPoller.model_validate_json(text, context={"secrets": reader})
    assert reader.plain == {urls[1]}
    assert [target.source.address for target in found.checked] == [urls[0], "postgresql://db.example"]


def test_the_time_is_in_one_place_and_that_of_the_target_goes_before_the_defaults() -> None:
    (said,) = faults(targets={"PROD": {"url": URL, "header": "Age", "text": "(.)"}})
    assert said == "targets.PROD: has `header` and `text`; keep one: the time is in one place"
    defaults = {"header": "Last-Modified"}
    assert one_target(defaults=defaults).source.named == "header Last-Modified"
    assert one_target({"field": "a.b"}, defaults=defaults).source.named == "a.b"
    assert one_target({"text": "(.)", "header": None}, defaults=defaults).source.named == "the text found"


def test_it_names_the_other_machines_that_it_asks(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql+psycopg://me:secret@db.example/shop")
    targets = {
        "PROD": {"url": "https://app.example:8443/version"},
        "TEST": {"url": "https://app.example/test"},
        "HERE": {"url": "http://127.0.0.1:5000/version"},
        "QUIET": {"url": "https://quiet.example/", "notify": False},
        "FILE": {"file": "/srv/*.csv"},
        "SHOP": {"sql": {"url": "file:url", "query": "SELECT 1"}},
        "LITE": {"sql": {"url": "sqlite:////srv/app.db", "query": "SELECT 1"}},
    }
    assert read(folder=tmp_path, targets=targets).hosts() == {
        ("PROD", "unreachable"): "app.example",
        ("TEST", "unreachable"): "app.example",
        ("SHOP", "unreachable"): "db.example",
    }


def test_who_asks_goes_before_the_defaults() -> None:
    def sent(own: dict[str, Any], defaults: dict[str, Any]) -> dict[str, str]:
        headers = request_of(one_target(own, defaults=defaults)).headers
        return {name.lower(): value.reveal() for name, value in headers.items()}

    basic = {"auth": {"user": "me", "password": "open sesame"}}
    assert sent({}, basic) == {"authorization": "Basic bWU6b3BlbiBzZXNhbWU="}
    assert sent({"auth": {"bearer": "abcd"}}, basic) == {"authorization": "Bearer abcd"}
    assert sent({"headers": {"Authorization": "Bearer abcd"}}, basic) == {"authorization": "Bearer abcd"}
    typed = {"method": "POST", "body": {"a": 1}, "headers": {"content-type": "text/x"}}
    assert sent(typed, {}) == {"content-type": "text/x"}
    assert sent({"method": "POST", "body": [1]}, {}) == {"content-type": "application/json"}
    assert sent({"method": "POST", "body": "a=1"}, {}) == {}


def test_late_after_follows_the_targets_own_stale_after() -> None:
    assert one_target({"stale_after": "4m"}, defaults={"stale_after": "1h"}).limits.late_after_s == 120


def test_a_check_ends_within_its_round_where_nothing_else_is_set() -> None:
    assert one_target(every="10s").timeout_s == 2
    assert one_target(every="1h").timeout_s == 10


@pytest.mark.parametrize(
    "name",
    [
        *("token", "api_key", "accessKey", "client_secret", "auth_token", "private_token"),
        *("subscription-key", "X-Amz-Signature", "jwt", "Authorization", "SAS"),
    ],
)
def test_a_parameter_whose_last_word_means_a_secret_is_rejected(name: str) -> None:
    (said,) = faults(targets={"PROD": {"url": f"{URL}?unit=3&{name}=Zq7"}})
    assert f'contains a key ("{name}=...")' in said
    assert "Zq7" not in said


@pytest.mark.parametrize("name", ["unit", "key_id", "author", "monkey", "token-type", "zip_code"])
def test_other_parameters_are_accepted(name: str) -> None:
    url = f"{URL}?{name}=Zq7"
    assert request_of(one_target({"url": url})).url == url


FAULTS_OF_TARGETS = {
    "no web address": ({"url": "ftp://x"}, "PROD.url: must begin with https"),
    "a password": ({"url": "https://a:b@x/"}, "PROD.url: contains a user or a password"),
    "a key in the URL": (
        {"url": URL + "?token=abc"},
        'PROD.url: contains a key ("token=..."), but messages show URLs',
    ),
    "no field": ({"field": ""}, "PROD.field: must not be empty"),
    "a field without a name": ({"field": "a..b"}, "PROD.field: must be the name of a field"),
    "misspelt": ({"format": "is"}, 'PROD.format: is not a time format; did you mean "iso"?'),
    "no form": ({"format": "noon"}, "PROD.format: is not a time format; write one of iso"),
    "a time without its day": ({"format": "%H:%M"}, "is not a format with a full date and time"),
    "a day without its time": ({"format": "%Y-%m-%d"}, "is not a format with a full date and time"),
    "half of the day": ({"format": "%Y%m%d %I:%M"}, "is not a format with a full date and time"),
    "no letter of strptime": ({"format": "%Q"}, "is not a format with a full date and time"),
    "a zone that is forgotten": ({"format": "%Y%m%d%H%M %Z"}, "PROD.format: contains %Z"),
    "no zone": (
        {"timezone": "Europe/Berln"},
        'PROD.timezone: unknown time zone; did you mean "Europe/Berlin"?',
    ),
    "a bare number": ({"stale_after": 900}, "PROD.stale_after: must be a duration"),
    "late after stale": ({"late_after": "20m"}, "PROD.late_after: is longer than `stale_after`"),
    "each second": ({"remind_every": "1s"}, "at least 1 minute"),
    "a word for true": ({"record": "yes"}, "PROD.record: must be true or false"),
    "a long timeout": ({"timeout": "13s"}, "PROD.timeout: is longer than a fifth of `every` (12s)"),
    "a header's name": ({"headers": {"a b": "Zq7-x"}}, '"a b" is not a header name'),
    "a header of ours": ({"headers": {"Host": "other"}}, '"Host" is set by tallyd itself'),
    "two lines": ({"headers": {"X-A": "ab\ncd"}}, "PROD.headers.X-A: contains a line break"),
    "no Latin letters": ({"headers": {"X-A": "日本語です"}}, "cannot be sent in a header"),
    "a header twice": ({"headers": {"X-A": "abcd", "x-a": "efgh"}}, "names a header twice"),
    "no such variable": ({"headers": {"X-A": "env:NOT_THERE"}}, "NOT_THERE is not set"),
    "a key over http": (
        {"url": "http://app.example/", "headers": {"X-Key": "Zq7-x"}},
        "PROD.url: begins with http://, which would send the header X-Key unencrypted",
    ),
    "no such CA file": ({"ca_file": "gone.pem"}, "gone.pem is missing"),
    "no such certificate": (
        {"client_cert": "gone.pem"},
        "gone.pem is missing. Put a certificate and its private key there (PEM).",
    ),
    "half of JMESPath": ({"field": "jobs[0"}, "PROD.field: is not JMESPath"),
    "no function": (
        {"field": "jobs[?starts_wth(a, 'b')]"},
        'PROD.field: calls starts_wth(), which is no function of JMESPath; did you mean "starts_with"?',
    ),
    "an argument too many": (
        {"url": URL, "each": {"items": "keys(a, b)", "time": "b"}},
        "PROD.each.items: calls keys() with 2; it has 1 argument",
    ),
    "no argument": (
        {"field": "a[0:1] | [merge()]"},
        "PROD.field: calls merge() with 0; it has at least 1 argument",
    ),
    "no header": ({"header": "a b"}, 'PROD.header: "a b" is not a header name'),
    "half an expression": ({"text": "(a"}, "PROD.text: is not a regular expression"),
    "look-around": ({"text": "(?<=at )(.+)"}, "PROD.text: is not a regular expression of RE2"),
    "two groups": ({"text": "a(b)(c)"}, "PROD.text: must have exactly one group"),
    "two sources": ({"file": "/a/*"}, "PROD: has `url` and `file`; write one of"),
    "a method that changes": ({"method": "PUT"}, "PROD.method: must be one of"),
    "a body to GET": ({"body": "x"}, 'PROD.body: is only sent with "method": "POST"'),
    "no body to read": ({"method": "HEAD"}, "the time must be in a `header`"),
    "no password": ({"auth": {"user": "me"}}, "PROD.auth: must have `user` and `password`, or"),
    "both": (
        {"auth": {"user": "me", "password": "Zq7-x", "bearer": "Zq8-x"}},
        "PROD.auth: must have `user` and `password`, or `bearer` alone",
    ),
    "a user's colon": ({"auth": {"user": "m:e", "password": "Zq7-x"}}, "a `user` with a colon"),
    "who asks, twice": (
        {"auth": {"bearer": "Zq7-x"}, "headers": {"authorization": "Zq8-x"}},
        "PROD.auth: sets the header Authorization, which is also in `headers`",
    ),
    "a token over http": (
        {"url": "http://app.example/", "auth": {"bearer": "Zq7-x"}},
        "would send the header Authorization unencrypted",
    ),
    "a folder as CA file": ({"ca_file": "."}, "cannot be read"),
    "key": ({"stale_afer": "1m"}, 'PROD.stale_afer: unknown key; did you mean "stale_after"?'),
}


@pytest.mark.parametrize(("target", "fault"), FAULTS_OF_TARGETS.values(), ids=FAULTS_OF_TARGETS)
def test_what_is_wrong_with_a_target_is_said_at_its_place(
    tmp_path: Path, target: dict[str, Any], fault: str
) -> None:
    (said,) = faults(folder=tmp_path, targets={"PROD": {"url": URL, **target}})
    assert said.startswith("targets.PROD")
    assert fault in said


def test_what_a_target_sets_goes_before_its_group_and_that_before_the_poller() -> None:
    groups = {"shop": {"channels": ["shop"], "severity": "warning"}, "intern": {}}
    targets: dict[str, dict[str, object]] = {
        "A": {"group": "shop"},
        "B": {"group": "shop", "channels": [], "severity": "error", "tags": []},
        "C": {},
    }
    found = read(
        groups=groups,
        defaults={"group": "intern", "tags": ["java"]},
        targets={name: {"url": URL, **own} for name, own in targets.items()},
    )
    assert [(each.group, each.tags, each.channels, each.severity) for each in found.checked] == [
        ("shop", ("java",), ("shop",), "warning"),
        ("shop", (), (), "error"),
        ("intern", ("java",), None, None),
    ]
    ops = AlertPolicy(channels=("ops",))
    policies = found.own_policies(ops)
    assert {name: policy.channels for name, policy in policies.items()} == {"A": ("shop",), "B": ()}


FAULTS_OF_POLLERS = {
    "none": ({"targets": {}}, "targets: is empty"),
    "no address": ({"targets": {"A": {}}}, "targets.A: has no `url`; write one of `url`, `file`, `sql`"),
    "an address alone": ({"targets": {"A": URL}}, "targets.A: must be an object"),
    "a list": ({"targets": []}, "targets: must be an object"),
    "a slash": ({"targets": {"a/b": {"url": URL}}}, 'targets."a/b": must not contain'),
    "a line break": ({"targets": {"a\nb": {"url": URL}}}, "must not contain `/`, control"),
    "a space in front": ({"targets": {" a": {"url": URL}}}, "without spaces around it"),
    "no name": ({"targets": {"": {"url": URL}}}, "must be a name"),
    "a long name": ({"targets": {"x" * 201: {"url": URL}}}, "of more than 200 characters"),
    "twice a second": ({"every": "0.5s"}, "every: must be at least 1 second"),
    "nobody works": ({"workers": 0}, "workers: must be 1 or more"),
    "too many": ({"workers": 1000}, "workers: must be 256 or less"),
    "too often": ({"write_every": "1s"}, "write_every: must be at least 1 minute"),
    "an address for all": ({"defaults": {"url": URL}}, "defaults.url: unknown key"),
    "a group without an entry": (
        {"groups": {"shop": {}}, "targets": OF_SHOPS},
        'targets.B.group: is no group in `groups`; did you mean "shop"?',
    ),
    "the group of all has no entry": (
        {
            "groups": {"shop": {}},
            "defaults": {"group": "intern"},
            "targets": {"A": {"url": URL, "group": "shop"}},
        },
        "defaults.group: is no group in `groups`",
    ),
    "a group without a target": (
        {"groups": {"shops": {}, "shop": {}}, "targets": OF_SHOPS},
        'groups.shop: is the group of no target; did you mean "shops"?',
    ),
    "spaces": ({"defaults": {"group": " x"}}, "defaults.group: must be a text without"),
    "an empty tag": ({"defaults": {"tags": [""]}}, "defaults.tags[0]: must"),
    "channels of all": ({"defaults": {"channels": []}}, "defaults.channels: unknown key"),
    "no such severity": (
        {"targets": {"A": {"url": URL, "severity": "fatal"}}},
        "targets.A.severity: must be",
    ),
    "the default does not fit": (
        {"defaults": {"late_after": "10m"}, "targets": {"A": {"url": URL, "stale_after": "5m"}}},
        "targets.A.late_after: is longer than `stale_after`",
    ),
}


@pytest.mark.parametrize(("keys", "fault"), FAULTS_OF_POLLERS.values(), ids=FAULTS_OF_POLLERS)
def test_what_is_wrong_with_the_rest_is_said(keys: dict[str, Any], fault: str) -> None:
    (said,) = faults(**{"targets": {"PROD": {"url": URL}}, **keys})
    assert fault in said


def test_a_poller_without_targets_is_rejected() -> None:
    """A file that was emptied by mistake would end all its alerts."""
    (said,) = faults()
    assert said.startswith("targets: is empty")


def test_no_message_shows_a_secret() -> None:
    (said,) = faults(targets={"A": {"url": "http://app.example", "headers": {"X-Key": "Zq7-secret"}}})
    assert "Zq7" not in said


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"url": "http://127.0.0.1:5000/", "headers": {"X-Key": "Zq7-x"}}, id="this machine"),
        pytest.param({"url": "http://app.example/", "headers": {"Accept": "text/plain"}}, id="no secret"),
        pytest.param({"url": "http://app.example/", "headers": {"X-Api-Version": "2"}}, id="a version"),
        pytest.param({"url": "http://app.example/", "headers": {"X-Env": "prod"}}, id="a name"),
        pytest.param({"url": "http://app.example/"}, id="no header"),
    ],
)
def test_http_is_fine_where_no_secret_leaves_this_machine(target: dict[str, Any]) -> None:
    assert request_of(one_target(target)).url.startswith("http://")


def test_a_ca_file_is_found_beside_the_config(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (target,) = read(folder=tmp_path, targets={"A": {"url": URL, "ca_file": "ca.pem"}}).checked
    assert request_of(target).ca_file == tmp_path / "ca.pem"
    (tmp_path / "no.pem").write_text("hello")
    (said,) = faults(folder=tmp_path, targets={"A": {"url": URL, "ca_file": "no.pem"}})
    assert said == (
        f"targets.A.ca_file: {tmp_path}/no.pem must contain the certificate of the authority (PEM), without "
        "a password"
    )
    (said,) = faults(folder=tmp_path, targets={"A": {"url": "http://x/", "ca_file": "ca.pem"}})
    assert "ca_file: has no effect" in said


# -- a file of their own -------------------------------------------------------------------------------------


def written(folder: Path, content: object) -> Path:
    path = folder / "more.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_targets_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"//": "comments too", "B": {"url": URL, "stale_after": "5m"}, "C": {"url": URL}}
    )
    reader = SecretFiles(tmp_path, {})
    text = json.dumps({"kind": "servers", "targets_file": "more.json", "targets": {"A": {"url": URL}}})
    found = ServersPoller.model_validate_json(text, context={"secrets": reader})
    assert sorted(target.name for target in found.checked) == ["A", "B", "C"]
    assert reader.files == {path}
    assert json.loads(reader.parts[path].json).keys() == {"B", "C"}
    written(tmp_path, {"B": {"url": URL}, "C": {"url": URL}})
    assert [target.name for target in read(folder=tmp_path, targets_file="more.json").checked] == ["B", "C"]


FAULTS_OF_FILES = {
    "a key": ({"B": {"url": URL, "recrod": 1}}, "targets.B.recrod: unknown key; did you"),
    "a value": ({"B": {"url": URL, "stale_after": 5}}, "targets.B.stale_after: must be a dur"),
    "as strict": ({"B": {"url": URL, "record": 1}}, "targets.B.record: must be true or false"),
    "in both": ({"A": {"url": URL}}, "targets.A: is also in `targets_file`"),
    "nothing in it": ({}, "targets: is empty"),
    "a list": ("[]", "more.json: must be a JSON object"),
    "broken": ('{"B": {},', "more.json: invalid JSON at line 1"),
    "a key twice": ('{"B": {"url": 1, "url": 2}}', 'more.json: "url" occurs twice'),
}


@pytest.mark.parametrize(("content", "fault"), FAULTS_OF_FILES.values(), ids=FAULTS_OF_FILES)
def test_what_is_wrong_with_their_file_is_said(tmp_path: Path, content: object, fault: str) -> None:
    written(tmp_path, content)
    targets = {} if content == {} else {"A": {"url": URL}}
    (said,) = faults(folder=tmp_path, targets_file="more.json", targets=targets)
    assert fault in said


def test_a_file_that_is_missing_is_named_and_waited_for(tmp_path: Path) -> None:
    reader = SecretFiles(tmp_path, {})
    with pytest.raises(ValidationError, match=r"more\.json is missing"):
        ServersPoller.model_validate_json(
            '{"kind": "servers", "targets_file": "more.json"}', context={"secrets": reader}
        )
    assert reader.files == {tmp_path / "more.json"}


def test_ten_thousand_targets_are_read_in_no_time(tmp_path: Path) -> None:
    written(
        tmp_path,
        {f"server {n}": {"url": f"http://10.0.0.1:{n}/", "stale_after": "9m"} for n in range(10_000)},
    )
    began = time.process_time()
    found = read(folder=tmp_path, targets_file="more.json")
    assert len(found.checked) == 10_000
    assert time.process_time() - began < 2


def test_a_target_may_be_due_instead_of_having_a_limit_and_the_other_way_round() -> None:
    due = [{"days": ["mon-fri"], "by": "06:00"}, {"by": "18:30:30"}]
    own = {"A": {"url": URL}, "B": {"url": URL, "due": [], "stale_after": "5m"}}
    a, b = read(defaults={"due": due, "stale_after": "1h"}, targets=own).checked
    assert [(each.days, f"{each.by}") for each in a.due] == [
        (frozenset(range(5)), "06:00:00"),
        (frozenset(range(7)), "18:30:30"),
    ]
    assert (b.due, b.limits.stale_after_s) == ((), 300)


@pytest.mark.parametrize("key", ["stale_after", "late_after"])
@pytest.mark.parametrize("place", ["target", "defaults"])
def test_a_limit_of_a_target_that_is_due_has_no_effect(key: str, place: str) -> None:
    due = {"due": [{"by": "06:00"}]}
    target = {"url": URL, key: "5m", **(due if place == "target" else {})}
    (fault,) = faults(defaults=due if place == "defaults" else {}, targets={"PROD": target})
    assert fault == (
        f"targets.PROD.{key}: has no effect, because `due` says when data is stale; remove it, "
        'or add "due": []'
    )


# -- who asks ------------------------------------------------------------------------------------------------

DASK: dict[str, Any] = {"executor": "dask", "scheduler": "tcp://dask.example:8786"}


def test_only_an_executor_of_other_processes_needs_workers() -> None:
    targets = {"PROD": {"url": URL}}
    assert read(targets=targets).workers_needed() is None
    assert read(targets=targets, executor="processes").workers_needed() == WorkersNeeded(processes=0)
    four = read(targets=targets, executor="processes", processes=4)
    assert four.workers_needed() == WorkersNeeded(processes=4)
    found = read(targets=targets, **DASK).workers_needed()
    assert found == WorkersNeeded(scheduler="tcp://dask.example:8786")


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        pytest.param({"executor": "dask"}, "needs the address of its `scheduler`", id="no scheduler"),
        pytest.param(
            {"scheduler": "tcp://a:1"}, 'scheduler: has no effect without "executor": "dask"', id="no dask"
        ),
        pytest.param(
            {**DASK, "processes": 2},
            'processes: has no effect without "executor": "processes"',
            id="no process",
        ),
        pytest.param({"fallback": "threads"}, "fallback: has no effect", id="nothing to fall back from"),
        pytest.param({"executor": "dusk"}, "executor: must be one of", id="no executor"),
        *(
            pytest.param(
                {"executor": "dask", "scheduler": written},
                "must be the address of a Dask scheduler",
                id=written,
            )
            for written in (
                "dask.example:8786",
                "http://dask.example:8786",
                "tcp://dask.example",
                "tcp://a:0",
            )
        ),
    ],
)
def test_keys_of_another_executor_are_refused(keys: dict[str, Any], fault: str) -> None:
    (found,) = faults(targets={"PROD": {"url": URL}}, **keys)
    assert fault in found


@pytest.mark.parametrize("executor", [DASK, {"executor": "processes"}], ids=["dask", "processes"])
def test_a_secret_must_be_a_reference_if_another_process_asks(
    executor: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYD_TEST_KEY", "Zq7-secret")
    (tmp_path / "key").write_text("Zq7-secret")
    direct = {
        "HEADER": {"url": URL, "headers": {"X-Key": "Zq7-secret"}},
        "SHORT": {"url": URL, "headers": {"X-Mode": "test"}},
        "TOKEN": {"url": URL, "auth": {"bearer": "Zq7-secret"}},
        "BASIC": {"url": URL, "auth": {"user": "me", "password": "Zq7-secret"}},
        "SHOP": {"sql": {"url": "postgresql+psycopg://me:Zq7-secret@db.example/a", "query": "SELECT 1"}},
    }
    found = faults(folder=tmp_path, targets=direct, **executor)
    assert [each.split(":")[0] for each in found] == [f"targets.{name}" for name in direct]
    assert all("only the reference goes to another process" in each for each in found)
    assert "Zq7" not in "".join(found)
    as_references = {
        "HEADER": {"url": URL, "headers": {"X-Key": "env:TALLYD_TEST_KEY", "Accept": "text/x"}},
        "TOKEN": {"url": URL, "auth": {"bearer": "file:key"}},
        "BASIC": {"url": URL, "auth": {"user": "me", "password": "env:TALLYD_TEST_KEY"}},
        "LITE": {"sql": {"url": "sqlite:////srv/app.db", "query": "SELECT 1"}},
    }
    targets = read(folder=tmp_path, targets=as_references, **executor).checked
    sent = pickle.dumps([target.source for target in targets])
    assert b"Zq7" not in sent
    assert str(tmp_path / "key").encode() in sent, "relative to the config, which a worker does not have"

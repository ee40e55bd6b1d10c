"""The settings of a Divera poller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, time, tzinfo
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.contract.poller import Poller
from tallyd.core.addresses import host_of
from tallyd.core.history import NO_STATUS
from tallyd.core.language.messages import english
from tallyd.core.schedule.calendar import NEAR_DAYS, days_from
from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.core.texts import listed, visible
from tallyd.pollers.divera.client import PULL_URL, USERS_URL, is_pull_url, is_users_url
from tallyd.pollers.divera.requirement import STATUS_ID, Requirement
from tallyd.settings.secrets import Secret
from tallyd.settings.types import Days, Duration, Seconds, TimeOfDay, as_tuple, wrong, wrong_each
from tallyd.settings.urls import Url, is_loopback, is_secret_name

_KEY = re.compile(r"[!#-&(-~]+")  # ASCII without spaces and quotes
_SMALLEST_HIDE_BELOW = 3


class DiveraSettings(Poller):
    """The settings of a Divera poller.

    A check of one key against another belongs to the later key, not to the whole class. So one run finds
    every problem of a file.
    """

    kind: Literal["divera"] = Field(description="What kind of poller this is.")
    source: Literal["users", "monitor"] = Field(
        "users",
        description="What to count: `users`, the rows of /api/users by status; or `monitor`, the anonymous "
        "counts of a monitor that is set up in Divera, read from /api/v2/pull/all.",
    )
    url: Url | None = Field(
        None,
        description="Address of the API, without the key. Default: https://app.divera247.com/api/users, or "
        'with `"source": "monitor"` https://app.divera247.com/api/v2/pull/all.',
    )
    accesskey: Secret = Field(
        description="Access key: with `source` `users`, of a system user of the unit; with `monitor`, of a "
        "monitor user or a person. A secret."
    )
    at: Annotated[tuple[TimeOfDay, ...], BeforeValidator(as_tuple)] = Field(
        description="Local times of day at which to count."
    )
    days: Days = Field(EVERY_DAY, description="Days on which to count. Default: every day.")
    catch_up: Duration = Field(
        Seconds(900),
        description="How late a count may be after an outage or a failure. Later, tallyd records it as "
        "missed. Less than a minute counts as a minute.",
    )
    status_names: dict[str, str] = Field(
        {},
        description="Names of statuses by id, for files and messages. They override the names that "
        "`fetch_status_names` reads. `none` names people without a status.",
    )
    fetch_status_names: bool = Field(
        False,
        description="Read the names of the statuses from Divera at each count. That reply also holds the "
        "names of all people; tallyd drops them while it reads.",
    )
    qualifications: bool = Field(
        False, description="Also count qualifications within each status. Only with `source` `monitor`."
    )
    vehicles: bool = Field(
        False,
        description="Also count vehicles by radio status (FMS). Only with `source` `monitor`. The reply then "
        "also holds the names of all people; tallyd drops them while it reads.",
    )
    at_least: Annotated[tuple[Requirement, ...], BeforeValidator(as_tuple)] = Field(
        (),
        description="Minimum strengths. tallyd warns below each of them and reports how often each was met.",
    )
    hide_below: int | None = Field(
        None,
        description="Privacy: write counts from 1 to one less than this as null, and also whatever would "
        "reveal them. 3 or more; null: hide nothing.",
    )

    @field_validator("url")
    @classmethod
    def _is_right_address(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        url = _without_empty_key(url)
        if url.startswith("http://") and not is_loopback(url):
            raise wrong(
                english("begins with http://, which would send the access key unencrypted; use https://")
            )
        if info.data.get("source") == "users" and is_pull_url(url):
            raise wrong(english('is the address of the monitor; set "source": "monitor", or remove url'))
        if info.data.get("source") == "monitor" and is_users_url(url):
            raise wrong(
                "is not the address of the monitor, which ends in /api/v2/pull/all; correct it, or remove url"
            )
        return url

    @field_validator("accesskey")
    @classmethod
    def _is_key(cls, accesskey: Secret) -> Secret:
        key = accesskey.reveal()
        name, equals, _ = key.lstrip("?&").partition("=")
        if equals and is_secret_name(name):
            raise wrong(english('begins with a parameter name and "="; put only the key there'))
        if "://" in key:
            raise wrong(english("is a URL; put only the key there, and the address in url"))
        if not _KEY.fullmatch(key):
            raise wrong(
                english("contains a space, a quote or a character that is not ASCII; put only the key there")
            )
        return accesskey

    @field_validator("at")
    @classmethod
    def _are_times(cls, at: tuple[time, ...]) -> tuple[time, ...]:
        if not at:
            raise wrong(english('must name at least one time of day, such as [["08:00"]]'))
        twice = sorted({str(each) for each in at if at.count(each) > 1})
        if twice:
            raise wrong(english("names {time} twice", time=twice[0]))
        return tuple(sorted(at))

    @field_validator("status_names")
    @classmethod
    def _are_names(cls, names: dict[str, str]) -> dict[str, str]:
        for key, name in names.items():
            if not STATUS_ID.fullmatch(key):
                raise wrong(f'"{visible(key)}" is not a status id such as "50101", nor "{NO_STATUS}"')
            if not name.strip():
                raise wrong(f'the name of "{key}" is empty')
        return {key: visible(name.strip()) for key, name in names.items()}

    @field_validator("fetch_status_names")
    @classmethod
    def _has_address_of_names(cls, fetch: bool, info: ValidationInfo) -> bool:
        url = info.data.get("url")
        if fetch and url is not None and info.data.get("source") == "users" and not is_users_url(url):
            raise wrong(
                "works only if url ends in /api/users, because the names are at /api/v2/pull/all beside it"
            )
        return fetch

    @field_validator("qualifications", "vehicles")
    @classmethod
    def _are_in_source(cls, is_wanted: bool, info: ValidationInfo) -> bool:
        if is_wanted and info.data.get("source") == "users":
            raise wrong(f'needs "source": "monitor"; the list of users has no {info.field_name}')
        return is_wanted

    @field_validator("at_least")
    @classmethod
    def _are_different(
        cls, at_least: tuple[Requirement, ...], info: ValidationInfo
    ) -> tuple[Requirement, ...]:
        problems = []
        known: set[str] = set()
        for place, each in enumerate(at_least):
            if each.qualification and info.data.get("source") == "users":
                text = 'needs "source": "monitor"; the list of users has no qualifications'
                problems.append(((str(place), "qualification"), text))
            same = each.name or "+".join(sorted(each.statuses))
            if same in known:
                text = "is the name of two entries" if each.name else "names the same statuses in two entries"
                cure = "change one" if each.name else 'give each a "name", or keep the higher count'
                problems.append(((str(place), "name" if each.name else "statuses"), f"{text}; {cure}"))
            known.add(same)
        if problems:
            raise wrong_each(problems)
        return at_least

    @field_validator("hide_below")
    @classmethod
    def _hides(cls, hide_below: int | None, info: ValidationInfo) -> int | None:
        if hide_below is None:
            return None
        if hide_below < _SMALLEST_HIDE_BELOW:
            raise wrong(
                "must be 3 or more: with 1 there is nothing to hide, and with 2 a null could only mean 1"
            )
        at_least: tuple[Requirement, ...] = info.data.get("at_least", ())
        lower = [
            f"at_least[{place}] ({each.count})"
            for place, each in enumerate(at_least)
            if each.count < hide_below
        ]
        if lower:
            raise wrong(
                "is higher than a count in at_least, so a warning would reveal what is hidden; "
                f"raise to at least {hide_below}: {listed(lower)}"
            )
        return hide_below

    def notes(self, beside: Mapping[str, Poller]) -> tuple[str, ...]:
        """Return a note for each poller of the same unit that shows what this one hides.

        Two pollers have the same unit if host and key are the same; with two keys, nobody knows.
        """
        return tuple(
            other._compared_with(self, name)
            for name, other in beside.items()
            if isinstance(other, DiveraSettings) and self._is_of_unit(other) and self._hides_more_than(other)
        )

    def vain(self, now: datetime, zone: tzinfo) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Return the requirements that apply to no slot."""
        days = [day for day in days_from(now.astimezone(zone).date()) if day.weekday() in self.days]
        for place, each in enumerate(self.at_least):
            if not any(each.applies(datetime.combine(day, at)) for day in days for at in self.at):
                why = english("no slot of `at` lies in these hours in the next {days} days", days=NEAR_DAYS)
                yield ("at_least", place, "when"), why

    def _is_of_unit(self, other: DiveraSettings) -> bool:
        is_known = self.accesskey.is_known and other.accesskey.is_known
        is_same_key = is_known and self.accesskey == other.accesskey
        return is_same_key and host_of(self.address) == host_of(other.address)

    def _hides_more_than(self, other: DiveraSettings) -> bool:
        """Whether this poller hides more than the other, so that the note belongs to it."""
        mine, its = ((each.hide_below or 0, each.source == "users") for each in (self, other))
        return mine > its and self.hide_below is not None

    def _compared_with(self, other: DiveraSettings, name: str) -> str:
        """Return the note for the other one: this poller, called `name`, shows what that one hides."""
        if self.hide_below is None:
            why = english(
                '"{name}" asks the same unit (same host and key) and hides nothing, so it shows what is '
                "hidden here; set hide_below there too",
                name=name,
            )
        elif self.source == other.source:
            why = english(
                '"{name}" asks the same unit (same host and key) and hides less (hide_below {least}); set it '
                "to {most} there too",
                name=name,
                least=self.hide_below,
                most=other.hide_below,
            )
        else:
            why = english(
                '"{name}" asks the same unit (same host and key) with "source": "{source}"; together they '
                "reveal what each hides, so keep only one",
                name=name,
                source=self.source,
            )
        return english("{place}: {why}", place="hide_below", why=why)

    @property
    def counts_qualifications(self) -> bool:
        """Whether readings have counts of qualifications: they are asked for, or a requirement needs them."""
        return self.qualifications or any(each.qualification for each in self.at_least)

    @property
    def address(self) -> str:
        """The address of the counts."""
        return self.url or (USERS_URL if self.source == "users" else PULL_URL)


def _without_empty_key(url: str) -> str:
    """Return a URL without empty key parameters: people paste `...?accesskey=` and write the key separately.

    It rejects a key in the URL, because messages show URLs: in the query, with parts separated by `&` or `;`,
    and in the parameters of the path (`/users;key=...`). Raises `wrong()` without the key.
    """
    parts = urlsplit(url)
    for segment in parts.path.split("/"):
        for pair in segment.split(";")[1:]:
            _refuse_key(pair)
    pairs = re.split("[&;]", parts.query)
    kept = [pair for pair in pairs if not _refuse_key(pair)]
    return url if kept == pairs else parts._replace(query="&".join(kept)).geturl()


def _refuse_key(pair: str) -> bool:
    """Return whether `name=value` is a key parameter without a value. Raises `wrong()` if it has a value."""
    name, _, value = pair.partition("=")
    if not is_secret_name(unquote(name)):
        return False
    if value:
        text = english(
            'contains a key ("{name}=..."); URLs are shown, so move it to accesskey', name=unquote(name)
        )
        raise wrong(text)
    return True

"""The settings of a servers poller."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tallyd.contract.poller import Poller
from tallyd.core.texts import UNPRINTABLE
from tallyd.pollers.servers.targets.group_settings import GroupSettings, Label
from tallyd.pollers.servers.targets.target import Target, fault_of, merged
from tallyd.pollers.servers.targets.target_settings import TargetKeys, TargetSettings
from tallyd.settings.secrets import named_files
from tallyd.settings.types import Duration, FolderPath, Seconds, did_you_mean, within, wrong, wrong_each

LONGEST_NAME = 200
_SCHEDULER = re.compile(r"(?:tcp|tls)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}", re.ASCII)
_KEYS_OF = {"processes": "processes", "scheduler": "dask"}
"""Keys that only one executor has."""
_DIRECT = (
    "has a secret that is written directly, in itself or in `defaults`; with this `executor`, write it as "
    '"env:NAME" or "file:PATH": only the reference goes to another process'
)


def _with_file(written: Any, info: ValidationInfo) -> Any:
    """Return the targets of the config, together with those of `targets_file` if there is one."""
    named = info.data.get("targets_file")
    if named is None or not isinstance(written, dict):
        return written
    reader = named_files(info)
    if reader is None:
        raise wrong("cannot be read here: `targets_file` needs the folder of the config")
    found = reader.read_object(named)
    twice = [((name,), "is also in `targets_file`; keep one") for name in written if name in found]
    if twice:
        raise wrong_each(twice)
    return {**found, **written}


def _scheduler(written: str) -> str:
    if not _SCHEDULER.fullmatch(written):
        raise wrong("must be the address of a Dask scheduler, such as tcp://dask.example:8786")
    return written


# Not strict only here: the targets may be a JSON object from a file of its own. Each key is still strict.
_AnyTarget = Annotated[TargetSettings, Field(strict=False)]


class ServersSettings(Poller):
    """The settings of a servers poller."""

    kind: Literal["servers"] = Field(description="What kind of poller this is.")
    every: Annotated[Duration, AfterValidator(within(1.0))] = Field(
        Seconds(60), description="How often to check each target. Checks are spread over this time."
    )
    workers: int = Field(
        16,
        ge=1,
        le=256,
        description="How many targets to check at the same time, in each process. One that has not answered "
        "after 50 ms no longer counts, so that it holds up no other.",
    )
    executor: Literal["threads", "processes", "dask"] = Field(
        "threads",
        description="Who asks the targets: `threads` of tallyd itself, further `processes` of this machine, "
        "or the workers of a `dask` cluster (see docs/scale.md). For the last two, each secret of a target "
        "must be a reference.",
    )
    processes: int | None = Field(
        None, ge=1, le=256, description="How many processes. Default: one for each core of this machine."
    )
    scheduler: Annotated[str, AfterValidator(_scheduler)] | None = Field(
        None, description="Address of the Dask scheduler: `tcp://HOST:8786`, or `tls://HOST:8786`."
    )
    fallback: Literal["threads"] | None = Field(
        None,
        description="`threads`: tallyd itself checks the targets that the workers did not check. Default: "
        "those stay as they were, and come first in the next round.",
    )
    write_every: Annotated[Duration, AfterValidator(within(60.0))] = Field(
        Seconds(900),
        description="How often to write an out file, at whole multiples of this time since midnight UTC. A "
        "change of a target's state also writes one, with only the targets that changed. A change between "
        "fresh and late writes none.",
    )
    defaults: TargetKeys = Field(
        TargetKeys(), description="Keys for every target that does not set them itself."
    )
    groups: dict[Label, GroupSettings] = Field(
        {},
        description="Settings of groups, by the name that targets have in `group`. If it has any, it must "
        "have every group.",
    )
    targets_file: FolderPath | None = Field(
        None,
        description="File with more targets: a JSON object like `targets`. Relative to the config file. "
        "tallyd watches it for changes.",
    )
    targets: Annotated[dict[str, _AnyTarget], BeforeValidator(_with_file)] = Field(
        {}, description="The servers by name: any text without `/`."
    )

    @field_validator("targets")
    @classmethod
    def _are_targets(
        cls, targets: dict[str, TargetSettings], info: ValidationInfo
    ) -> dict[str, TargetSettings]:
        if not targets:
            raise wrong('is empty; add a target, such as {"PROD": {"url": "https://..."}}')
        problems = [((name,), text) for name in targets if (text := name_fault(name))]
        every_s, defaults = info.data.get("every"), info.data.get("defaults")
        if every_s is not None and defaults is not None:
            for name, own in targets.items():
                target = merged(name, own, defaults, every_s=every_s, groups={})
                fault = fault_of(target, own, every_s=every_s)
                if fault:
                    problems.append(((name, fault[0]), fault[1]))  # type: ignore[arg-type] # of any length
        if problems:
            raise wrong_each(problems)
        return targets

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        """Check that groups have targets, and that, if there are groups, those of targets are among them."""
        named: list[tuple[tuple[str, ...], str]] = [
            (("targets", name, "group"), own.group) for name, own in self.targets.items() if own.group
        ]
        if self.defaults.group:
            named.append((("defaults", "group"), self.defaults.group))
        known, found = tuple(self.groups), tuple({group for _, group in named})
        problems: list[tuple[tuple[str, ...], str]] = [
            (where, f"is no group in `groups`{did_you_mean(group, known)}")
            for where, group in named
            if known and group not in known
        ]
        # If both are wrong, it is one mistake.
        problems = problems or [
            (("groups", group), f"is the group of no target{did_you_mean(group, found)}")
            for group in known
            if group not in found
        ]
        if problems:
            raise wrong_each(problems)
        return self

    @model_validator(mode="after")
    def _has_its_executor(self) -> Self:
        problems: list[tuple[tuple[str, ...], str]] = [
            ((key,), f'has no effect without "executor": "{executor}"')
            for key, executor in _KEYS_OF.items()
            if key in self.model_fields_set and self.executor != executor
        ]
        if self.executor == "dask" and self.scheduler is None:
            problems.append((("executor",), 'is "dask", which needs the address of its `scheduler`'))
        if self.executor == "threads":
            if self.fallback:
                problems.append((("fallback",), 'has no effect with "executor": "threads"'))
        else:
            problems += [
                (("targets", target.name), _DIRECT)
                for target in self.checked
                if any(not secret.can_travel for secret in target.source.secrets)
            ]
        if problems:
            raise wrong_each(problems)
        return self

    @cached_property
    def checked(self) -> tuple[Target, ...]:
        """The targets to check, in the order of the config."""
        return tuple(
            merged(name, own, self.defaults, every_s=self.every, groups=self.groups)
            for name, own in self.targets.items()
        )

    def with_items(self, names: Iterable[str]) -> tuple[Target, ...]:
        """Return the targets to check, each followed by its items among these names of targets."""
        items: dict[str, list[str]] = {}
        for name in names:
            target, slash, item = name.partition("/")
            if slash:
                items.setdefault(target, []).append(item)
        if not items:
            return self.checked
        return tuple(
            each
            for target in self.checked
            for each in (target, *map(target.item, items.get(target.name, ()) if target.each else ()))
        )

    def target(self, name: str) -> Target | None:
        """Return the target or item with a name; None: the config has none."""
        return next((each for each in self.with_items((name,)) if each.name == name), None)


def name_fault(name: str) -> str | None:
    """Return why a target cannot have this name; None: it can."""
    if not name.strip() or name != name.strip():
        return "must be a name without spaces around it"
    if "/" in name or UNPRINTABLE.search(name):
        return "must not contain `/`, control or invisible characters"
    if len(name) > LONGEST_NAME:
        return f"is a name of more than {LONGEST_NAME} characters"
    return None

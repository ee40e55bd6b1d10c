"""`tallyd service`: what can be seen without changing this machine; campaigns/service.sh does the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.needs import needs
from support.programs import program
from tallyd.cli.service.account import first_config, put_config
from tallyd.cli.service.places import Places
from tallyd.cli.service.releases import (
    drop_old_releases,
    new_release,
    point,
    put_in_place,
    release_of,
    unit_text,
)
from tallyd.cli.service.system import ServiceError
from tallyd.cli.service.uninstall import purge_command, uninstall
from tallyd.config.load import load
from tallyd.core.language.languages import reading_in


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Places below a folder, with two releases of which one is current."""
    folders = {name: tmp_path / name for name in ("opt", "etc", "lib", "log", "share", "package")}
    units = tmp_path / "units"
    units.mkdir()
    made = Places(**folders, command=tmp_path / "bin/tallyd", unit=units / "tallyd.service")
    for release in ("1", "2"):
        program(made.releases / release / "tallyd", f"#!/bin/sh\necho {release}\n")
        (made.releases / release / "tallyd.service").write_text(f"unit of {release}")
    point(made, "current", "1")
    return made


def test_the_first_config_is_one_and_in_the_language_of_the_terminal(tmp_path: Path) -> None:
    with reading_in("zh-TW"):
        content = first_config()
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert load(tmp_path / "config.json", environ={}).settings.language == "zh-TW"


def test_a_config_is_put_into_place_the_secrets_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, notes = tmp_path / "config", tmp_path / "notes"
    (folder / "secrets").mkdir(parents=True)
    (folder / "config.json").touch()
    (folder / "secrets/divera-key").touch()
    (folder / "secrets/of-root").symlink_to("/etc/passwd")
    program(tmp_path / "bin/install", f'#!/bin/sh\necho "$*" >>"{notes}"\n')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    put_config(folder, Path("/etc/tallyd"))
    owner = "-o root -g tallyd"
    assert notes.read_text().splitlines() == [
        f"-d -m 0750 {owner} /etc/tallyd/secrets",
        f"-m 0640 {owner} {folder}/secrets/divera-key /etc/tallyd/secrets/divera-key",
        f"-d -m 0750 {owner} /etc/tallyd",
        f"-m 0640 {owner} {folder}/config.json /etc/tallyd/config.json",
    ]


def test_a_switch_brings_the_unit_the_command_and_what_shells_want(places: Places) -> None:
    for release in ("1", "2"):
        point(places, "current", release)
        put_in_place(places)
        assert release_of(places, "current") == release
        assert places.unit.read_text() == f"unit of {release}"
        assert places.command.resolve() == places.releases / release / "tallyd"
        completion = places.share / "bash-completion/completions/tallyd"
        assert completion.readlink() == places.current / "venv/share/bash-completion/completions/tallyd"
    assert release_of(places, "previous") is None


def test_the_service_sees_the_memory_of_the_machine_only_where_dask_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "\nProcSubset=all\n" in unit_text()
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "\nProcSubset=pid\n" in unit_text()


def test_old_releases_go_but_not_one_that_is_being_built(places: Places) -> None:
    point(places, "previous", "2")
    program(places.releases / "0/tallyd", "")
    (places.releases / "3/venv").mkdir(parents=True)
    drop_old_releases(places)
    assert sorted(folder.name for folder in places.releases.iterdir()) == ["1", "2", "3"]


def test_the_tallyd_of_a_source_tree_is_not_copied(places: Places) -> None:
    with pytest.raises(ServiceError, match=r"not in an environment of its own.*setup\.sh install"):
        new_release(places)
    assert sorted(folder.name for folder in places.releases.iterdir()) == ["1", "2"]


@pytest.mark.parametrize(
    ("brought", "command"),
    [
        pytest.param("package", "sudo apt purge tallyd", id="package"),
        pytest.param("opt/releases/1/venv/bin/pip", "sudo sh setup.sh uninstall --purge", id="source"),
        pytest.param("bin", 'sudo "$(command -v tallyd)" service uninstall --purge', id="wheel"),
    ],
)
def test_what_also_removes_the_data_is_the_command_of_what_installed_it(
    brought: str, command: str, places: Places, tmp_path: Path
) -> None:
    (tmp_path / brought).mkdir(parents=True)
    assert purge_command(places) == command


@pytest.mark.parametrize("fault", ["waiting", "link"])
def test_a_purge_that_would_lose_something_changes_nothing(fault: str, places: Places) -> None:
    needs(root=True)
    (places.lib / "park/.tallyd/done").mkdir(parents=True)
    (places.lib / "park/.tallyd/done/a.json").touch()
    if fault == "waiting":
        (places.lib / "park/gate 12").mkdir()
        (places.lib / "park/gate 12/b.json").touch()
    else:
        places.log.symlink_to(places.lib)
    with pytest.raises(ServiceError, match="nothing was changed"):
        uninstall(places, purges=True)
    assert places.opt.exists()
    assert places.lib.exists()

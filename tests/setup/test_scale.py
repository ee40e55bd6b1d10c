"""What docs/scale.md gives a person to install: units for systemd, and containers."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.needs import needs

_ROOT = Path(__file__).parents[2]
_SCALE = _ROOT / "docs/scale"
_DASK = re.compile(r"\bdask\"?,? \"?(scheduler|worker)\b([^\n\]]*)")
UNITS = sorted(_SCALE.glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_not_a_word_to_say_of_a_unit(unit: Path, tmp_path: Path) -> None:
    needs("systemd-analyze", root=not Path("/run/systemd").is_dir())
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/tallyd/current/venv/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""


def test_there_is_a_unit_for_the_scheduler_and_one_for_workers() -> None:
    assert [unit.name for unit in UNITS] == ["tallyd-scheduler.service", "tallyd-worker.service"]


@pytest.mark.parametrize(
    "file", [*UNITS, _SCALE / "compose.yaml", _ROOT / "docs/scale.md"], ids=lambda file: file.name
)
def test_dask_knows_each_option_that_it_is_given(file: Path) -> None:
    used = _DASK.findall(file.read_text())
    assert used
    for command, rest in used:
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in dask_help(command), f"dask {command} has no {option}"


@cache
def dask_help(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dask", command, "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("folder", "names"),
    [(_SCALE, ["postgres", "scheduler", "worker"]), (_ROOT / "packaging", ["tallyd"])],
    ids=["cluster", "daemon"],
)
def test_the_containers_are_what_the_files_beside_them_say(folder: Path, names: list[str]) -> None:
    services: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    assert list(services) == names
    build, *others = (each["build"] for each in services.values() if "build" in each)
    assert all(each == build for each in others), "one image for all"
    assert (folder / build["context"]).resolve() == _ROOT
    assert (_ROOT / build["dockerfile"]).is_file()
    for each in services.values():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), "open to everybody"
    assert (_ROOT / build.get("args", {}).get("LOCK", "requirements.txt")).is_file()


def test_certificates_made_as_the_page_says_pass_strict_checks(tmp_path: Path) -> None:
    page = (_ROOT / "docs/scale.md").read_text()
    for command in re.findall(r"^openssl req .*$", page, re.MULTILINE):
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", "node.pem"]
    subprocess.run(verify, cwd=tmp_path, check=True, capture_output=True)

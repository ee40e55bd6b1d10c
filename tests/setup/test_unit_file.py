"""The unit of the service: what systemd itself says of it, and that it fits the code."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from support.needs import needs
from tallyd import __version__
from tallyd.cli.examples import EXAMPLES
from tallyd.cli.service.places import SHARED, USER, Places
from tallyd.core.errors import EXIT_CONFIG, EXIT_USAGE

_ROOT = Path(__file__).parents[2]
_WORST_SCORE = 1.5


@pytest.fixture
def unit_text() -> str:
    return files("tallyd.cli.service").joinpath("tallyd.service").read_text(encoding="utf-8")


@pytest.fixture
def service(unit_text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", unit_text.partition("[Service]")[2], flags=re.MULTILINE))


def _needs_systemd_analyze() -> None:
    """Where no systemd runs it makes /run/systemd for itself, which takes root."""
    needs("systemd-analyze", root=not Path("/run/systemd").is_dir())


def _analyze(*arguments: str) -> str:
    """Return all that systemd-analyze prints; its status is no help, for it is 0 on a misspelt directive."""
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def _verify(text: str, folder: Path) -> str:
    """Have systemd verify the unit, with a program that exists on this machine."""
    unit = folder / "tallyd.service"
    unit.write_text(text.replace("/opt/tallyd/current/venv/bin/tallyd", sys.executable), encoding="utf-8")
    return _analyze("verify", "--man=no", str(unit))


def test_systemd_has_not_a_word_to_say(unit_text: str, tmp_path: Path) -> None:
    _needs_systemd_analyze()
    assert not _verify(unit_text, tmp_path)


def test_a_misspelt_directive_would_be_seen(unit_text: str, tmp_path: Path) -> None:
    _needs_systemd_analyze()
    assert "RestartSecs" in _verify(unit_text.replace("RestartSec=", "RestartSecs="), tmp_path)


def test_it_is_hardened(unit_text: str, tmp_path: Path) -> None:
    _needs_systemd_analyze()
    unit = tmp_path / "tallyd.service"
    unit.write_text(unit_text, encoding="utf-8")
    output = _analyze("security", "--offline=yes", str(unit))
    score = re.search(r"Overall exposure level for tallyd\.service: (\d+\.\d+)", output)
    assert score, output
    assert float(score[1]) <= _WORST_SCORE, output


def test_a_wrong_config_or_command_line_is_not_tried_again(service: dict[str, str]) -> None:
    assert {int(status) for status in service["RestartPreventExitStatus"].split()} == {
        EXIT_CONFIG,
        EXIT_USAGE,
    }
    assert service["Restart"] == "on-failure"


def test_it_never_gives_up(unit_text: str) -> None:
    assert "\nStartLimitIntervalSec=0\n" in unit_text


def test_it_can_tell_systemd_that_it_is_ready_and_alive(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"
    assert "AF_UNIX" in service["RestrictAddressFamilies"].split()
    assert service["WatchdogSec"] == "60s"


def test_no_core_is_dumped(service: dict[str, str]) -> None:
    assert service["LimitCORE"] == "0"


def test_it_runs_what_is_installed(service: dict[str, str]) -> None:
    places = Places()
    assert service["ExecStart"] == f"{places.current}/venv/bin/tallyd --config {places.config} run"
    assert service["EnvironmentFile"] == f"-{places.etc}/env"
    assert (service["User"], service["Group"]) == (USER, USER)
    assert str(places.lib) == f"/var/lib/{service['StateDirectory']}"
    assert str(places.log) == f"/var/log/{service['LogsDirectory']}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source, alone in its folder."""
    return wheel_of(_ROOT, tmp_path_factory.mktemp("wheel"))


def wheel_of(source: Path, folder: Path) -> Path:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_same_source_makes_the_same_wheel_wherever_and_whenever_it_is_built(
    wheel: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for name in ("src", "docs"):
        shutil.copytree(
            _ROOT / name,
            copy / name,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__", "*.mo"),
        )
    for path in filter(Path.is_file, _ROOT.iterdir()):
        shutil.copyfile(path, copy / path.name)
    assert wheel_of(copy, tmp_path / "two").read_bytes() == wheel.read_bytes()


def test_a_wheel_carries_it_and_the_man_page(unit_text: str, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("tallyd/cli/service/tallyd.service").decode() == unit_text
        shared = {name: archive.read(f"tallyd-{__version__}.data/data/share/{name}") for name in SHARED}
    lines = shared["man/man1/tallyd.1"].decode().splitlines()
    assert [path.name for path in wheel.parent.iterdir()] == [wheel.name]
    headings = {line for line in lines if line.startswith(".SS ")}
    assert len(headings) == len(EXAMPLES)
    for command in EXAMPLES:
        name = command.replace("-", r"\-")
        assert any(f"{line} ".startswith(f".SS {name} ") for line in headings)
    examples = {line.replace("-", r"\-") for each in EXAMPLES.values() for line in each}
    assert examples <= set(lines)

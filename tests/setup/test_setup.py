"""setup.sh, without changing this machine.

What needs root and a systemd is tried in a container: campaigns/service.sh.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.needs import needs
from support.programs import program

_ROOT = Path(__file__).parents[2]
_SETUP = _ROOT / "setup.sh"


def _setup(*arguments: str, script: Path = _SETUP, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(script), *arguments],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# ---- the script as such


_COMMAND = _ROOT / "src/tallyd/cli/service/tallyd.sh"
"""/usr/local/bin/tallyd, but for the place of its release."""


@pytest.fixture
def scripts() -> list[str]:
    return [
        *map(str, [_SETUP, _COMMAND, _ROOT / ".ci/run", _ROOT / "packaging/deb.sh"]),
        *map(str, sorted((_ROOT / "packaging/debian").glob("p*"))),
        *map(str, sorted((_ROOT / "tests/campaigns").glob("*.sh"))),
    ]


def test_shellcheck_has_nothing_to_say(scripts: list[str]) -> None:
    needs("shellcheck")
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_dash_reads_what_is_for_sh(scripts: list[str]) -> None:
    needs("dash")
    for script in scripts:
        if Path(script).read_text(encoding="utf-8").startswith("#!/bin/sh"):
            subprocess.run(["dash", "-n", script], check=True)


# ---- the choices


def test_without_a_command_it_names_the_choices() -> None:
    done = _setup()
    assert (done.returncode, done.stderr) == (0, "")
    for choice in (
        "run",
        "demo",
        "test",
        "install [--ask | --restore FILE]",
        "allow PATH",
        "rollback",
        "uninstall [--purge]",
    ):
        assert f"\n  {choice}" in done.stdout


WRONG_USAGE = {
    "unknown command": (["instal"], "there is no command instal"),
    "run with an argument": (["run", "divera"], "run takes no arguments"),
    "install with an argument": (
        ["install", "now"],
        "the options of install are --ask, --restore FILE and --dask",
    ),
    "install without the backup": (["install", "--restore"], "--restore needs the file of a backup"),
    "rollback with an argument": (["rollback", "2"], "rollback takes no arguments"),
    "allow without a path": (["allow"], "allow takes one path"),
    "allow with two paths": (["allow", "/a", "/b"], "allow takes one path"),
    "uninstall with another option": (["uninstall", "--all"], "the only option of uninstall is --purge"),
}


@pytest.mark.parametrize(("arguments", "complaint"), WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_wrong_usage_is_status_2_and_changes_nothing(arguments: list[str], complaint: str) -> None:
    done = _setup(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "Usage: sh setup.sh COMMAND" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["install"],
        ["install", "--ask"],
        ["install", "--dask"],
        ["install", "--restore", "x.zip"],
        ["allow", "/srv"],
        ["rollback"],
        ["uninstall"],
    ],
    ids=" ".join,
)
def test_the_service_needs_root(arguments: list[str], tools: Path) -> None:
    program(tools / "id", "#!/bin/sh\necho 1000\n")
    done = _setup(*arguments, PATH=str(tools))
    assert done.returncode == 1
    assert f"needs root: sudo sh setup.sh {arguments[0]}" in done.stderr


# ---- Python that is missing, too old, or not whole


def test_without_python_it_says_what_to_install(tools: Path) -> None:
    done = _setup("demo", PATH=str(tools))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; python3 was not found" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_that_is_too_old_is_named(tools: Path) -> None:
    old = '#!/bin/sh\ncase $2 in *"< (3, 11)"*) exit 1 ;; *) echo 3.9.2 ;; esac\n'
    python = program(tools / "python3", old)
    done = _setup("demo", PATH=str(tools))
    assert done.returncode == 1
    assert f"needs Python 3.11 or newer; found 3.9.2 at {python}" in done.stderr


def test_a_newer_python_beside_an_old_python3_is_taken(tools: Path) -> None:
    program(tools / "python3", "#!/bin/sh\nexit 1\n")
    program(tools / "python3.12", '#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; *) echo "$0" ;; esac\n')
    done = _setup("demo", script=_empty_source(tools.parent), PATH=str(tools))
    assert f"{tools}/python3.12 has no modules venv and ensurepip" in done.stderr


def test_a_python_without_venv_is_named_with_what_to_install(tools: Path) -> None:
    stub = '#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; *) echo "$0" ;; esac\n'
    python = program(tools / "python3", stub)
    done = _setup("demo", script=_empty_source(tools.parent), PATH=str(tools))
    assert done.returncode == 1
    assert f"{python} has no modules venv and ensurepip" in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_the_choice_of_python_must_be_a_fitting_one(tools: Path) -> None:
    done = _setup("demo", PATH=str(tools), PYTHON="python4")
    assert done.returncode == 1
    assert "PYTHON=python4 is not Python 3.11 or newer" in done.stderr


# ---- .venv

# Builds a "tallyd" that prints what follows its command, from the standard library alone: no index is needed.
_BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name, info = "tallyd-1-py3-none-any.whl", "tallyd-1.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tallyd_stub.py", "import sys\\ndef main(): print(sys.argv[2:])\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tallyd\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\\ntallyd = tallyd_stub:main\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def _empty_source(folder: Path) -> Path:
    """Make a source folder with an empty lock and nothing that needs an index; return its setup.sh."""
    source = folder / "the source"
    source.mkdir()
    (source / "setup.sh").write_bytes(_SETUP.read_bytes())
    (source / "requirements.txt").write_text("# nothing\n")
    (source / "backend.py").write_text(_BACKEND)
    (source / "hatch_build.py").write_text("# no catalogs to compile\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return source / "setup.sh"


# Stands for a Python: makes a "venv" with itself as Python, and a tallyd that does what a test wants.
_STUB_PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv "*)
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        echo "$3/bin/python" >"$3/bin/pip"
        cp "${0%/*}/tallyd-stub" "$3/bin/tallyd"
        ;;
    *"-m pip "*) echo "pip runs" ;;
    *_base_executable*) echo "$0" ;;
    *"%d.%d.%d"*) echo 3.11.2 ;;
esac
"""
_STUB_TALLYD = """#!/bin/sh
shift 2 # --config PATH
echo "tallyd $*"
case $1 in init) [ -z "${ASKED:-}" ] || echo "{}" >"$CONFIG"; exit "${INIT_STATUS:-0}" ;; esac
"""


@pytest.fixture
def stubs(tools: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A source folder of stubs; returns what runs its setup.sh."""
    for name in ("cp", "mkdir"):
        (tools / name).symlink_to(Path("/bin", name))
    program(tools / "python3", _STUB_PYTHON)
    program(tools / "tallyd-stub", _STUB_TALLYD)
    script = _empty_source(tmp_path)
    config = str(script.with_name("config.json"))
    return lambda *arguments, **more: _setup(
        *arguments, script=script, PATH=str(tools), CONFIG=config, **more
    )


@pytest.mark.parametrize("command", ["demo", "run"])
def test_it_says_what_it_installs_and_that_it_takes_a_minute_before_it_does(
    command: str, stubs: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    making, installing, *pip = stubs(command).stdout.splitlines()[:4]
    assert making == "Creating .venv with Python 3.11.2."
    assert installing.startswith("Installing the packages of requirements.txt into /")
    assert "about a minute" in installing
    assert pip == ["pip runs", "pip runs"]


def _called(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line in ("tallyd init --ask", "tallyd run")]


def test_run_asks_nothing_where_there_is_a_config(
    stubs: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "the source/config.json").write_text("{}")
    done = stubs("run")
    assert (done.returncode, _called(done)) == (0, ["tallyd run"])


@pytest.mark.parametrize(
    ("answers", "status", "called"),
    [
        pytest.param({"ASKED": "1"}, 0, ["tallyd init --ask", "tallyd run"], id="answers"),
        pytest.param({"INIT_STATUS": "130"}, 130, ["tallyd init --ask"], id="no answers, no daemon"),
        pytest.param(
            {"ASKED": "1", "INIT_STATUS": "1"},
            0,
            ["tallyd init --ask", "tallyd run"],
            id="a first reading that failed is the daemon's to try again",
        ),
        pytest.param(
            {"ASKED": "1", "INIT_STATUS": "130"}, 130, ["tallyd init --ask"], id="Ctrl-C at the first reading"
        ),
    ],
)
def test_run_asks_where_there_is_no_config_and_goes_on_as_the_daemon(
    answers: dict[str, str],
    status: int,
    called: list[str],
    stubs: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = stubs("run", **answers)
    assert (done.returncode, _called(done)) == (status, called)


@pytest.mark.slow
def test_the_venv_is_made_once_kept_while_it_fits_and_made_anew_when_it_does_not(tmp_path: Path) -> None:
    script = _empty_source(tmp_path)
    venv = script.with_name(".venv")

    def demo(*arguments: str) -> list[str]:
        done = _setup("demo", *arguments, script=script, PYTHON=sys.executable, PIP_NO_INDEX="1")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    making, installing, answer = demo("--for", "2 s")
    assert making.startswith("Creating .venv with Python 3.")
    assert installing.startswith("Installing the packages of requirements.txt into ")
    assert answer == "['--for', '2 s']"

    assert demo() == ["[]"], "the same lock again needs no pip"

    with script.with_name("requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    assert demo() == [installing, "[]"]

    (venv / "bin/python").unlink()
    (venv / "bin/python").symlink_to("/nonesuch/python3")
    assert demo() == ["Creating .venv again: it no longer works.", making, installing, "[]"]

    script = script.parent.rename(tmp_path / "moved") / "setup.sh"
    assert demo()[0] == "Creating .venv again: it was created in another folder or without pip."


# ---- languages

_MESSAGES = _SETUP.with_name("setup-messages.txt")


def test_every_message_is_there_in_each_language_with_its_values() -> None:
    paragraphs = [each.split("\n") for each in _MESSAGES.read_text("utf-8").strip().split("\n\n")]
    said = re.findall(r"(?:\bsay|\bin_language) '([^']*)'", _SETUP.read_text("utf-8"))
    assert sorted(english for english, _, _ in paragraphs) == sorted(set(said))
    for english, german, chinese in paragraphs:
        assert english.count("%") == german.count("%s") == chinese.count("%s") == english.count("%s")
        assert len({english, german, chinese}) == 3


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        pytest.param({"LANG": "de_DE.UTF-8"}, ".venv wird mit Python 3.11.2 angelegt.", id="German"),
        pytest.param({"LANG": "zh_TW.UTF-8"}, "正在以 Python 3.11.2 建立 .venv。", id="Chinese"),
        pytest.param(
            {"LANG": "de_DE", "LC_ALL": "C.UTF-8"}, "Creating .venv with Python 3.11.2.", id="LC_ALL"
        ),
        pytest.param({"LANG": "den_CA.UTF-8"}, "Creating .venv with Python 3.11.2.", id="another"),
    ],
)
def test_it_speaks_the_language_of_the_terminal(
    locale: dict[str, str],
    shown: str,
    tools: Path,
    stubs: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    (tools / "awk").symlink_to("/usr/bin/awk")
    (tmp_path / "the source" / _MESSAGES.name).write_bytes(_MESSAGES.read_bytes())
    assert stubs("demo", **locale).stdout.splitlines()[0] == shown


# ---- install --dask


@pytest.mark.parametrize(
    ("asked", "current_has_it", "lock"),
    [
        pytest.param("", False, "requirements.txt", id="a small machine"),
        pytest.param("yes", False, "requirements-dask.txt", id="asked for"),
        pytest.param("", True, "requirements-dask.txt", id="an upgrade keeps it"),
    ],
)
def test_dask_is_installed_where_it_was_asked_for(
    asked: str, current_has_it: bool, lock: str, tmp_path: Path
) -> None:
    if current_has_it:
        program(tmp_path / "current/venv/bin/python", "#!/bin/sh\n")
    text = _SETUP.read_text(encoding="utf-8")
    body = text.partition("lock_of_release() {")[2].partition("\n}\n")[0]
    function = f"lock_of_release() {{{body}\n}}"
    script = f"set -eu\nopt={tmp_path} dask={asked}\n{function}\nlock_of_release\n"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{lock}\n", "")
    assert (_ROOT / lock).is_file()

"""setup.sh and the command that it installs, without changing this machine.

What needs root and a systemd is tried in a container: campaigns/service.sh.
"""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.needs import needs

_ROOT = Path(__file__).parents[2]
_SETUP = _ROOT / "setup.sh"
_TOOLS = (
    "basename",
    "cat",
    "chmod",
    "dirname",
    "env",
    "grep",
    "id",
    "ls",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tr",
)


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a link to the real one must not be written through
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with nothing but the usual small programs, to stand alone in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in _TOOLS:
        (found,) = [path for path in (Path("/usr/bin", name), Path("/bin", name)) if path.exists()][:1]
        (folder / name).symlink_to(found)
    return folder


def _setup(*arguments: str, script: Path = _SETUP, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(script), *arguments],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# ---- the script as such


def _wrapper() -> str:
    """Return the command as setup.sh writes it, but for the place of its release."""
    text = _SETUP.read_text(encoding="utf-8")
    return text.partition("<<'WRAPPER'\n")[2].partition("\nWRAPPER\n")[0] + "\n"


@pytest.fixture
def scripts(tmp_path: Path) -> list[str]:
    command = _program(tmp_path / "wrapper", _wrapper())
    return [
        *map(str, [_SETUP, command, _ROOT / ".ci/run"]),
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
    _program(tools / "id", "#!/bin/sh\necho 1000\n")
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
    python = _program(tools / "python3", old)
    done = _setup("demo", PATH=str(tools))
    assert done.returncode == 1
    assert f"needs Python 3.11 or newer; found 3.9.2 at {python}" in done.stderr


def test_a_newer_python_beside_an_old_python3_is_taken(tools: Path) -> None:
    _program(tools / "python3", "#!/bin/sh\nexit 1\n")
    _program(tools / "python3.12", '#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; *) echo "$0" ;; esac\n')
    done = _setup("demo", script=_empty_source(tools.parent), PATH=str(tools))
    assert f"{tools}/python3.12 has no modules venv and ensurepip" in done.stderr


def test_a_python_without_venv_is_named_with_what_to_install(tools: Path) -> None:
    stub = '#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; *) echo "$0" ;; esac\n'
    python = _program(tools / "python3", stub)
    done = _setup("demo", script=_empty_source(tools.parent), PATH=str(tools))
    assert done.returncode == 1
    assert f"{python} has no modules venv and ensurepip" in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_the_choice_of_python_must_be_a_fitting_one(tools: Path) -> None:
    done = _setup("demo", PATH=str(tools), PYTHON="python4")
    assert done.returncode == 1
    assert "PYTHON=python4 is not Python 3.11 or newer" in done.stderr


# ---- allow: what it writes (the campaign tries it under a real systemd)

_ODD = '/srv/in: box 100% "x" \\y'


def _drop_in(folder: str, mount: str = "") -> str:
    script = _SETUP.read_text(encoding="utf-8")
    (word,) = (line for line in script.splitlines() if line.startswith("unit_word() "))
    function = script.partition("\ndrop_in() {")[2].partition("\n}\n")[0]
    program = f'{word}\ndrop_in() {{{function}\n}}\ndrop_in "$1" "$2"'
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", program, "sh", folder, mount], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("folder", ["/srv/inbox", "/home/alice/inbox", _ODD, f"/home/alice{_ODD}"])
def test_a_folder_that_is_taken_away_is_no_reason_not_to_start(folder: str) -> None:
    lines = _drop_in(folder).splitlines()
    opened = [line for line in lines if line.startswith(("ReadWritePaths=", "BindPaths="))]
    assert len(opened) == (2 if folder.startswith("/home/") else 1)
    for line in opened:
        assert line.partition("=")[2].startswith('"-/')


def test_a_share_that_cannot_be_mounted_is_no_reason_not_to_start() -> None:
    text = _drop_in("/srv/share/inbox", "srv-share.mount")
    assert text.startswith("[Unit]\nWants=srv-share.mount\nAfter=srv-share.mount\n[Service]\n")
    assert "Requires" not in text
    assert "[Unit]" not in _drop_in("/srv/inbox")


def test_of_all_homes_the_service_sees_the_folder_alone_and_can_make_nothing_beside_it() -> None:
    text = _drop_in("/home/alice/inbox")
    assert "\nTemporaryFileSystem=/home:ro,mode=0755\n" in text
    assert "\nInaccessiblePaths=-/root -/run/user\n" in text


@pytest.mark.parametrize("folder", ["/srv/inbox", f"/home/alice{_ODD}"])
def test_systemd_has_not_a_word_to_say_of_it(folder: str, tmp_path: Path) -> None:
    needs("systemd-analyze", root=not Path("/run/systemd").is_dir())
    unit = (_ROOT / "src/tallyd/tallyd.service").read_text(encoding="utf-8")
    path = tmp_path / "tallyd.service"
    path.write_text(unit.replace("/opt/tallyd/current/venv/bin/tallyd", sys.executable), encoding="utf-8")
    added = tmp_path / "tallyd.service.d" / "allow-x.conf"
    added.parent.mkdir()
    for text, is_fine in [(_drop_in(folder), True), (_drop_in(folder).replace("Paths=", "Path="), False)]:
        added.write_text(text, encoding="utf-8")
        command = ["systemd-analyze", "verify", "--man=no", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout + done.stderr == "") == is_fine, done.stdout + done.stderr


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
    _program(tools / "python3", _STUB_PYTHON)
    _program(tools / "tallyd-stub", _STUB_TALLYD)
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


# ---- install --ask, install --restore

# What root does is printed instead of done; what is asked gets its answers at once.
_AS_ROOT = """
set -eu
user=tallyd lib=/var/lib/tallyd
die() { echo "died: $*"; exit 1; }
chown() { :; }
mktemp() { mkdir -p "$opt/answers"; echo "$opt/answers"; }
as_user() { "$@"; }
install() { echo "install $*"; }
"""
_ANSWERS = """#!/bin/sh
echo "called: $*"
mkdir -p "$opt/answers/secrets"
touch "$opt/answers/secrets/divera-key" "$opt/answers/config.json"
"""


@pytest.mark.parametrize("is_answered", [True, False], ids=["done", "failed"])
@pytest.mark.parametrize(
    ("call", "called", "died"),
    [
        pytest.param(
            "ask_for_config 1",
            "init --ask --into {answers}",
            "the questions were not answered, so nothing was installed",
            id="ask",
        ),
        pytest.param(
            "restore_backup 1 /dev/null",
            "restore --into {answers} -",
            "the backup was not restored, see above, so nothing was installed",
            id="restore",
        ),
    ],
)
def test_a_config_for_the_service_is_put_into_place_by_root_the_secrets_first(
    is_answered: bool, call: str, called: str, died: str, tmp_path: Path
) -> None:
    answers = _ANSWERS.replace("$opt", str(tmp_path)) if is_answered else "#!/bin/sh\nexit 130\n"
    _program(tmp_path / "releases/1/venv/bin/tallyd", answers)
    text = _SETUP.read_text(encoding="utf-8")
    functions = text[text.index("ask_for_config() {") : text.index("# Take a first reading")]
    script = f"opt={tmp_path} etc={tmp_path}/etc locale=C.UTF-8\n{_AS_ROOT}{functions}{call}\n"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    if not is_answered:
        assert (done.returncode, done.stdout) == (1, f"died: {died}\n")
        return
    assert done.returncode == 0
    to_root, folder = "install -m 0640 -o root -g tallyd", "install -d -m 0750 -o root -g tallyd"
    assert done.stdout.splitlines() == [
        f"called: --config {tmp_path}/etc/config.json {called.format(answers=tmp_path / 'answers')}",
        f"{folder} {tmp_path}/etc/secrets",
        f"{to_root} {tmp_path}/answers/secrets/divera-key {tmp_path}/etc/secrets/divera-key",
        f"{folder} {tmp_path}/etc",
        f"{to_root} {tmp_path}/answers/config.json {tmp_path}/etc/config.json",
    ]


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
        _program(tmp_path / "current/venv/bin/dask", "#!/bin/sh\n")
    text = _SETUP.read_text(encoding="utf-8")
    body = text.partition("lock_of_release() {")[2].partition("\n}\n")[0]
    function = f"lock_of_release() {{{body}\n}}"
    script = f"set -eu\nopt={tmp_path} dask={asked}\n{function}\nlock_of_release\n"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{lock}\n", "")
    assert (_ROOT / lock).is_file()


# ---- /usr/local/bin/tallyd

Tallyd = Callable[..., subprocess.CompletedProcess[str]]

# Stands for the program that the command starts: tells how it was started.
_SHOW = """#!/bin/sh
echo "arguments: $*"
echo "umask: $(umask)"
env | grep -E "^(A|B|HOME|SUDO_USER)="
exit 5
"""


@pytest.fixture
def tallyd(tmp_path: Path, tools: Path) -> Tallyd:
    """The command, for a user of the test's choice, with its groups (in this session, and by the books)."""
    etc = tmp_path / "etc"
    etc.mkdir()
    _program(tmp_path / "release/venv/bin/tallyd", _SHOW)
    _program(
        tools / "id",
        '#!/bin/sh\ncase "$*" in -u) echo "$ID_UID" ;; -un) echo "$ID_NAME" ;; -nG) echo "$ID_GROUPS" ;;'
        ' *) echo "$ID_BOOKS" ;; esac\n',
    )
    _program(tools / "getent", "#!/bin/sh\nexit 0\n")
    _program(
        tools / "setpriv",
        '#!/bin/sh\necho "setpriv: $*"\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n',
    )
    text = _wrapper().replace("@RELEASE@", str(tmp_path / "release")).replace("/etc/tallyd", str(etc))
    command = _program(tmp_path / "tallyd", text)

    def run(
        *arguments: str, user: str = "root", groups: str = "root", listed: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        identity = {"ID_UID": "0" if user == "root" else "1000", "ID_NAME": user, "ID_GROUPS": groups}
        identity["ID_BOOKS"] = groups if listed is None else listed
        return subprocess.run(
            [str(command), *arguments],
            env={"PATH": str(tools), "HOME": "/home/x"} | identity | more,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def _arguments(done: subprocess.CompletedProcess[str]) -> str:
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("arguments: ")]
    return line.removeprefix("arguments: ")


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        pytest.param("status --json", "--config {etc}/config.json status --json", id="the installed config"),
        pytest.param("--config mine.json check", "--config mine.json check", id="one of one's own"),
        pytest.param("--config=mine.json check", "--config=mine.json check", id="one of one's own, with ="),
        pytest.param(
            "notify --config x", "--config {etc}/config.json notify --config x", id="after the command"
        ),
        pytest.param("--version", "--version", id="no command, no config"),
    ],
)
def test_the_command_means_the_installed_config(
    given: str, passed: str, tallyd: Tallyd, tmp_path: Path
) -> None:
    done = tallyd(*given.split())
    assert done.returncode == 5, "the status is the program's"
    assert _arguments(done) == passed.format(etc=tmp_path / "etc")


def test_root_becomes_the_user_of_the_service(tallyd: Tallyd) -> None:
    done = tallyd("once", "divera", SUDO_USER="alice")
    assert "setpriv: --reuid=tallyd --regid=tallyd --init-groups -- " in done.stdout
    assert "HOME=/var/lib/tallyd" in done.stdout
    assert "SUDO_USER=alice" in done.stdout
    assert "umask: 0027" in done.stdout


def test_privacy_check_may_look_through_the_journal_and_nothing_else_may(tallyd: Tallyd) -> None:
    assert "--groups=tallyd,systemd-journal" in tallyd("privacy-check", "divera", listed="tallyd").stdout
    assert "systemd-journal" not in tallyd("check", listed="tallyd").stdout


def test_the_user_of_the_service_needs_nobody(tallyd: Tallyd) -> None:
    done = tallyd("once", "divera", user="tallyd", groups="tallyd")
    assert done.returncode == 5
    assert "setpriv" not in done.stdout


OF_OTHERS = {
    "not in the group": (
        {"groups": "users"},
        "status",
        "alice is not in the group tallyd. Use sudo: sudo tallyd status",
    ),
    "not yet in the group": (
        {"groups": "users", "listed": "users tallyd"},
        "check",
        "alice joined the group tallyd after logging in. Log in again, or use sudo: sudo tallyd",
    ),
    "in a group named alike": ({"groups": "users nottallyd"}, "check", "alice is not in the group tallyd"),
    "in the group, a command that writes": (
        {"groups": "users tallyd"},
        "once",
        '"once" opens the service\'s databases. Use sudo: sudo tallyd once',
    ),
}


@pytest.mark.parametrize(("who", "command", "complaint"), OF_OTHERS.values(), ids=OF_OTHERS)
def test_others_are_advised_to_use_sudo(
    who: dict[str, str], command: str, complaint: str, tallyd: Tallyd
) -> None:
    done = tallyd(command, user="alice", **who)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tallyd: {complaint}")


def test_the_group_may_check_as_it_is(tallyd: Tallyd) -> None:
    done = tallyd("check", user="alice", groups="users tallyd")
    assert done.returncode == 5
    assert "setpriv" not in done.stdout


def test_the_environment_is_that_of_the_service(tallyd: Tallyd, tmp_path: Path) -> None:
    (tmp_path / "etc/env").write_text("A=from the file\n")
    done = tallyd("check", A="from the caller", B="kept")
    assert {"A=from the file", "B=kept"} <= set(done.stdout.splitlines())


def test_on_a_terminal_it_says_which_config_it_uses(tallyd: Tallyd, tmp_path: Path) -> None:
    tallyd("check")  # its parts lie in tmp_path; what a terminal changes is stderr alone
    ours, theirs = pty.openpty()
    environment = {
        "PATH": str(tmp_path / "bin"),
        "ID_UID": "0",
        "ID_NAME": "root",
        "ID_GROUPS": "root",
        "ID_BOOKS": "",
    }
    subprocess.run(
        [str(tmp_path / "tallyd"), "check"],
        env=environment,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    os.close(theirs)
    output = os.read(ours, 1000).decode()
    os.close(ours)
    assert output == f"tallyd: config {tmp_path}/etc/config.json\r\n"
    assert not tallyd("check").stderr


# ---- /etc/tallyd/env, read as systemd reads an EnvironmentFile= (the campaign compares both)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("A=plain", "plain", id="plain"),
        pytest.param("A=last line without its end", "last line without its end", id="no end of line"),
        pytest.param("  A = in  between \t\n", "in  between", id="blanks around, not between"),
        pytest.param("A=a#b;c=d\n", "a#b;c=d", id="no comment within a line"),
        pytest.param("#A=no\n;A=no\nA=yes\n", "yes", id="comments"),
        pytest.param("A=one\nA=two\n", "two", id="the last one counts"),
        pytest.param("A='single \\ \" $HOME'\n", 'single \\ " $HOME', id="single quotes"),
        pytest.param('A="double \\" \\\\ \\$x \\q"\n', 'double " \\ $x \\q', id="double quotes"),
        pytest.param("A='it'\"s\"\n", "its", id="two quoted parts"),
        pytest.param("A=it's\n", "it's", id="a quote inside"),
        pytest.param("A=back\\ slash\\\\\n", "back slash\\", id="backslash"),
        pytest.param("A=one \\\ntwo\n", "one two", id="continued line"),
        pytest.param('A="one\ntwo"\n', "one\ntwo", id="quoted lines"),
        pytest.param("A=dos\r\n", "dos", id="carriage return"),
        pytest.param("A=ümläut €\n", "ümläut €", id="not only ASCII"),
        pytest.param("A=$(touch pwned)`id`$HOME %h\n", "$(touch pwned)`id`$HOME %h", id="nothing is run"),
        pytest.param("A=\n", "", id="empty"),
        pytest.param("export A=x\n9A=x\nA-B=x\nA\n", None, id="not a variable"),
    ],
)
def test_env_file(text: str, value: str | None, tmp_path: Path) -> None:
    reader = _wrapper().partition("# Export the variables in file")[2].partition("# An option before")[0]
    program = tmp_path / "read"
    program.write_text(f'set -eu\n#{reader}read_env "$1"\nexec env -0\n')
    (tmp_path / "env").write_text(text)
    done = subprocess.run(
        ["/bin/sh", str(program), str(tmp_path / "env")],
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = dict(entry.partition("=")[::2] for entry in done.stdout.decode().split("\0"))
    assert found.get("A") == value
    assert not (tmp_path / "pwned").exists()

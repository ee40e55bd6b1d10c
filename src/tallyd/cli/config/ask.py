"""`tallyd init --ask`: asks a few questions, tries the answers, writes a config, and takes a first reading.

Each kind of poller has its own questions (`questions()`). The rules of the config check each answer. Nothing
is written before the last answer.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import typer

from tallyd.cli.actions.once import once
from tallyd.cli.config.draft import Draft, put_all
from tallyd.cli.config.found import ask_source, show_found, sources_of
from tallyd.cli.config.init import starter
from tallyd.cli.process.equipment import channels
from tallyd.cli.shared import hide_secrets, log_to_stderr
from tallyd.config.settings import BY_KIND
from tallyd.contract.poller import Poller
from tallyd.core.errors import EXIT_OK, EXIT_USAGE, DeliveryError, RecordsError, SourceError
from tallyd.core.language.languages import LANGUAGES, Language, language, language_of_locale, reading_in
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.questions import NO, Question, optional
from tallyd.core.system_words import reason_of
from tallyd.core.texts import UNPRINTABLE
from tallyd.presentation.terminal import complain, say
from tallyd.settings.web import WebSettings

EXIT_INTERRUPTED = 130
CHANNEL = "ops"
_KEY_REFUSED = (401, 403)

_ZONE = Question(
    key=("timezone",),
    text=mark("Time zone"),
    help=mark("All times of day are in this time zone."),
    default="Europe/Berlin",
)
_CHANNEL = Question(
    key=("channels", CHANNEL),
    text=mark("Chat or mail address for alerts"),
    help=mark(
        'A URL such as tgram://TOKEN/CHAT or mailtos://USER:PASSWORD@HOST (docs/alerts.md); "no" for none.'
    ),
    default=NO,
    read=optional(str),
    secret="chat-url",  # noqa: S106 # the name of a file
)
_PAGE = Question(
    key=("web",),
    text=mark("Address of the page"),
    help=mark('Counts, charts and alerts, in a browser on this machine (docs/page.md); "no" for none.'),
    default="127.0.0.1:8710",
    read=optional(lambda typed: {"listen": f"127.0.0.1:{typed}" if typed.isdecimal() else typed}),
)


def ask(path: Path, *, kind: str | None = None, into: Path | None = None) -> int:
    """Ask, try, write, and take a first reading; return the exit status. `kind` skips the first question.

    With `into`, the files are written there instead of beside `path`, and no reading is taken: the installer
    moves them to their places.
    """
    path = path.absolute()
    folder = into or path.parent
    if hindrance := _hindrance(path, folder):
        complain(f"tallyd: {hindrance}")
        return EXIT_USAGE
    log_to_stderr()
    wanted = language_of_locale(os.environ)
    try:
        wanted = _language(wanted)
        with reading_in(wanted):
            draft = Interview(path, kind).draft
    except (typer.Abort, KeyboardInterrupt):
        with reading_in(wanted):
            complain("\n" + tr("Stopped. Nothing was written."))
        return EXIT_INTERRUPTED
    with reading_in(wanted):
        return _written(draft, path, into)


def _language(default: Language) -> Language:
    """Ask for the language of the other questions, and of what people will read."""
    # Not translated: everybody finds their own.
    say("en: English, de: Deutsch, zh-TW: 繁體中文", style="quiet")
    while True:
        typed = str(typer.prompt("Language, Sprache, 語言", default=default)).strip().casefold()
        for known in LANGUAGES:
            if typed == known.casefold():
                return known
        complain(", ".join(LANGUAGES))


def _written(draft: Draft, path: Path, into: Path | None) -> int:
    """Write what was answered, and take a first reading; return the exit status."""
    say()
    for written in draft.write(into or path.parent):
        file = written if into is None else path.parent / written.relative_to(into)
        say(tr("Written: {file}", file=file), style="fine")
    status = EXIT_OK if into else _first_reading(path, draft)
    web = draft.config().settings.web
    if web is not None:
        url = f"http://{web.listen}/"
        say(tr("The page, while tallyd runs: {url}", url=url), style="fine")
    return status


def _hindrance(path: Path, folder: Path) -> str | None:
    """Return why the questions are not possible, and what to do instead; None: they are."""
    if os.path.lexists(path):
        return f"{path} already exists; nothing was changed. Edit it, then run: {{tallyd}} check"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"cannot write {path.name}: this user may not write in {folder}"
    if not sys.stdin.isatty():
        kinds = ", ".join(BY_KIND)
        return (
            "--ask needs a terminal. Without one, write the config yourself: "
            f"`{{tallyd}} init --kind KIND > {path}` (KIND: {kinds}), put each secret into its own file in "
            f"{path.parent / 'secrets'} (mode 0600), then run `{{tallyd}} check --online`"
        )
    return None


def _first_reading(path: Path, draft: Draft) -> int:
    (poller,) = draft.config().settings.pollers
    say("\n" + tr("The first reading:"))
    status = once(path, poller, job=None, dry_run=False, as_json=False, attempts=1)
    if status != EXIT_OK:
        complain(tr("The first reading failed, see above. The config is written; tallyd keeps trying."))
    return status


def _trouble_of(web: WebSettings) -> str | None:
    """Return why the page cannot listen on its address now; None: it can."""
    family = socket.AF_INET6 if ":" in web.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((web.address, web.port))
        except OSError as error:
            return tr(
                "cannot listen on {address}: {reason}; type another port",
                address=web.listen,
                reason=translated(reason_of(error)),
            )
    return None


class Interview:
    """The questions, one after the other; at the end `draft` is a valid config. Raises `Abort`."""

    def __init__(self, path: Path, wanted: str | None = None) -> None:
        self._answers: dict[tuple[str, ...], str] = {}
        say(tr("A few questions, then tallyd counts. Enter accepts the answer in brackets, Ctrl-C stops."))
        name = wanted or self._kind()
        self.draft = Draft(path, starter(name, path))
        self.draft.put(("language",), language())
        if self.draft.get(_ZONE.key) is None:  # this machine does not know its own zone
            self.draft.put(_ZONE.key, _ZONE.default)
        self._source(BY_KIND[name], ("pollers", name))
        self._answer(replace(_ZONE, default=str(self.draft.get(_ZONE.key))))
        self._channel()
        self._page()
        self.draft.config()

    def _kind(self) -> str:
        """Ask for the kind of poller and return it."""
        say("\n" + tr("What should tallyd count?"))
        names = tuple(BY_KIND)
        for number, (name, kind) in enumerate(BY_KIND.items(), start=1):
            say(f"  {number}  {name}: {translation((kind.__doc__ or '').splitlines()[0])}")
        while True:
            typed = str(typer.prompt(tr("Number or name"), default=names[0])).strip().casefold()
            if typed.isdecimal() and 1 <= int(typed) <= len(names):
                return names[int(typed) - 1]
            if typed in names:
                return typed
            complain(tr('"{typed}" is not a choice; type a number or a name', typed=typed))

    def _source(self, kind: type[Poller], below: tuple[str, ...]) -> None:
        """Ask the questions of a kind, and try the answers."""
        # Remove the examples of the starting config: what the source has replaces them.
        put_all(self.draft, below, kind.learned(()))
        asked: list[Question] = []
        for question in kind.questions():
            if question.only_with and self.draft.get((*below, *question.only_with)) is None:
                continue
            self._answer(question, below)
            asked.append(question)
            if question.tries:
                while again := self._to_ask_again(asked, below):
                    for each in again:
                        self._answer(each, below)

    def _to_ask_again(self, asked: list[Question], below: tuple[str, ...]) -> list[Question]:
        """Try the source; return the questions to ask again because their answers do not work."""
        say(tr("Trying it ..."), style="quiet")
        config = self.draft.config()
        hide_secrets(config)
        (task,) = sources_of(config)
        try:
            found = ask_source(config, task)
        except (SourceError, RecordsError) as failure:
            complain(translated(failure.text))
            secrets = [question for question in asked if question.secret]
            if isinstance(failure, SourceError) and failure.status in _KEY_REFUSED and secrets:
                for question in secrets:
                    del self._answers[(*below, *question.key)]
                return secrets
        else:
            is_fine = show_found(config, task, found)
            learned = task.source.learned(found)
            put_all(self.draft, below, learned)
            for name in (name for name, value in learned.items() if value):
                say(tr('Added to the config as "{key}".', key=name), style="quiet")
            if is_fine:
                return []
        return [] if self._is_kept() else asked

    def _channel(self) -> None:
        while True:
            self._answer(_CHANNEL, closely=True)
            if self.draft.get(_CHANNEL.key) is None:
                self.draft.put(("alerts", "channels"), None)
                return
            self.draft.put(("alerts", "channels"), [CHANNEL])
            config = self.draft.config()
            sender = channels(config, Redactor(config.secrets).redact)
            try:
                url = config.settings.channels[CHANNEL].url.reveal()
                say(translated(sender.probe(url)), style="fine")
            except DeliveryError as failure:
                complain(translated(failure.text))
                if not self._is_kept():
                    continue
            return

    def _page(self) -> None:
        while True:
            self._answer(_PAGE, closely=True)
            web = self.draft.config().settings.web
            trouble = _trouble_of(web) if web is not None else None
            if trouble is None:
                return
            complain(trouble)

    def _is_kept(self) -> bool:
        # Not typer.confirm: it knows only the answers y and n.
        text = tr("Keep these answers anyway? tallyd keeps trying [[y/N]]")
        typed = str(typer.prompt(text, default="", show_default=False)).strip().casefold()
        return typed in ("y", "yes", *tr("y, yes").split(", "))

    def _answer(self, question: Question, below: tuple[str, ...] = (), *, closely: bool = False) -> None:
        """Ask until the config accepts the answer."""
        key = (*below, *question.key)
        say()
        say(translation(question.help), style="quiet")
        while True:
            typed = self._prompt(question, key)
            value = question.read(typed)
            if question.secret and value is not None:
                self.draft.put_secret(key, question.secret, typed)
            else:
                self.draft.put(key, value)
            fault = self.draft.fault(key, closely=closely)
            if fault is None:
                self._answers[key] = typed
                return
            part = f"{fault.place}: " if fault.place and not fault.place.startswith("[") else ""
            complain(f"{translation(question.text)}: {part}{translated(fault.text)}")

    def _prompt(self, question: Question, key: tuple[str, ...]) -> str:
        """Return what is typed; for Enter alone, the earlier answer if there is one, else the default."""
        before = self._answers.get(key)
        default = before if before is not None else question.default and translation(question.default)
        is_hidden = question.secret is not None
        is_kept = is_hidden and before is not None and before != question.default
        text = translation(question.text)
        if is_kept:
            text = tr("{question} (Enter keeps what you typed)", question=text)
        elif is_hidden:
            text = tr("{question} (hidden)", question=text)
        while True:
            try:
                typed: str = typer.prompt(
                    text, default=default, hide_input=is_hidden, show_default=not is_kept
                ).strip()
            except UnicodeDecodeError:
                typed = "\udcff"
            if typed and not UNPRINTABLE.search(typed):
                return typed
            if typed:
                complain(tr("The answer contains an unreadable character, such as an arrow key. Try again:"))

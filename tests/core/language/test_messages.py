"""Messages and stored texts in the reader's language, with catalogs of the test's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from support.translations import Use
from tallyd.core.language import catalogs
from tallyd.core.language.languages import Language, language, language_for, reading_in
from tallyd.core.language.messages import english, mark, mark_english, tr, translated, translation


def test_without_a_reader_everything_is_english() -> None:
    assert language() == "en"
    assert tr("{files:# file|# files} in {folder}", files=1, folder="in") == "1 file in in"
    assert tr("[[literal]]") == "[literal]"
    assert tr("run: {tallyd} check") == english("run: {tallyd} check") == "run: {tallyd} check"


def test_what_is_stored_is_english_whoever_reads_meanwhile() -> None:
    with reading_in("de"):
        text = english("no answer within {limit}; {tries} tries", limit=timedelta(seconds=65), tries=1234)
    assert text == "no answer within 1 min 5 s; 1234 tries"


def test_a_message_is_read_in_the_language_of_its_reader(use_translations: Use) -> None:
    use_translations(tallyd={"{files:# file|# files} in {folder}": "in {folder}: {files:# Datei|# Dateien}"})
    with reading_in("de"):
        assert tr("{files:# file|# files} in {folder}", files=1234, folder="ein") == "in ein: 1.234 Dateien"
        assert tr("not translated") == "not translated"
    assert tr("{files:# file|# files} in {folder}", files=2, folder="in") == "2 files in in"


def test_a_constant_is_translated_when_it_is_read(use_translations: Use) -> None:
    use_translations(tallyd={"stale": "veraltet"})
    word = mark("stale")
    with reading_in("de"):
        assert translation(word) == "veraltet"
        assert translated(word) == "veraltet"
    assert translation(word) == word


def test_a_constant_that_is_filled_later_stays_english() -> None:
    message = mark_english("{host} sent too many headers")
    assert english(message, host="a.example") == "a.example sent too many headers"


STORED = {
    "{host}: {why}": "{host}: {why}",
    "no answer within {limit}": "keine Antwort innerhalb von {limit}",
    "{host} answers with status {status}[ ({said})]": "{host} antwortet mit Status {status}[ ({said})]",
    "{files:# file is|# files are} too large": "{files:# Datei ist|# Dateien sind} zu groß",
    "more than {values} values, said process {pid} to {host}:{port}": (
        "mehr als {values} Werte, sagte Prozess {pid} zu {host}:{port}"
    ),
    "tallyd was stopped during the run": "tallyd wurde währenddessen beendet",
    "{host} answered[ HTTP {status}] {flaw}": "{host} antwortet[ mit HTTP {status}] {flaw}",
    "{host} answered HTTP {status}": "{host}: Antwort {status}",
    "without a row": "ohne Zeile",
}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (english("tallyd was stopped during the run"), "tallyd wurde währenddessen beendet"),
        (english("no answer within {limit}", limit="10 s"), "keine Antwort innerhalb von 10 Sek."),
        (
            english("{host} answers with status {status}[ ({said})]", host="a.example", status="503"),
            "a.example antwortet mit Status 503",
        ),
        (
            english(
                "{host} answers with status {status}[ ({said})]", host="a", status="503", said="no (more)"
            ),
            "a antwortet mit Status 503 (no (more))",
        ),
        (english("{files:# file is|# files are} too large", files=1), "1 Datei ist zu groß"),
        (
            english(
                "more than {values} values, said process {pid} to {host}:{port}",
                values=f"{250_000:,}",
                pid=12345,
                host="007",
                port=8080,
            ),
            "mehr als 250.000 Werte, sagte Prozess 12345 zu 007:8080",
        ),
        (english("{files:# file is|# files are} too large", files=12), "12 Dateien sind zu groß"),
        (
            english(
                "{host}: {why}",
                host="a.example:80",
                why=english("no answer within {limit}", limit="1 min 5 s"),
            ),
            "a.example:80: keine Antwort innerhalb von 1 Min. 5 Sek.",
        ),
        (english("{host} answered HTTP {status}", host="a", status=503), "a: Antwort 503"),
        (
            english("{host} answered[ HTTP {status}] {flaw}", host="a", flaw="without a row"),
            "a antwortet ohne Zeile",
        ),
        (
            "2 files are too large; tallyd was stopped during the run; no answer within 4 s",
            "2 Dateien sind zu groß; tallyd wurde währenddessen beendet; keine Antwort innerhalb von 4 Sek.",
        ),
        ("2 files are too large; Wache Nord", "2 files are too large; Wache Nord"),
        ("Wache Nord", "Wache Nord"),
        ("", ""),
    ],
)
def test_a_stored_text_is_shown_in_the_language_of_its_reader(
    use_translations: Use, stored: str, shown: str
) -> None:
    use_translations(stored=STORED)
    assert translated(stored) == stored
    with reading_in("de"):
        assert translated(stored) == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (english("{host}: {why}", host="stale", why="no"), "stale: no"),
        (english("{host} answered HTTP {status}", host="1.20", status=503), "1.20: Antwort 503"),
        (
            english("install {name}: pip install 'tallyd[[mysql]]'", name="PyMySQL"),
            "pip install 'tallyd[mysql]' für PyMySQL",
        ),
        (
            english("no such driver: pip install 'tallyd[[mysql]]'"),
            "kein Treiber: pip install 'tallyd[mysql]'",
        ),
        (
            english("{host} answers with status {status}[ ({said})]", host="a", status=503, said="9" * 400),
            f"a antwortet mit Status 503 ({'9' * 400})",
        ),
        (
            english(
                "{host} answers with status {status}[ ({said})]", host="a", status=503, said="{tallyd} [x"
            ),
            "a antwortet mit Status 503 ({tallyd} [x)",
        ),
    ],
)
def test_foreign_words_in_a_stored_text_stay_as_they_are(
    use_translations: Use, stored: str, shown: str
) -> None:
    own = {
        "install {name}: pip install 'tallyd[[mysql]]'": "pip install 'tallyd[[mysql]]' für {name}",
        "no such driver: pip install 'tallyd[[mysql]]'": "kein Treiber: pip install 'tallyd[[mysql]]'",
    }
    use_translations(tallyd={"stale": "veraltet", "no": "nein"}, stored=STORED | own)
    with reading_in("de"):
        assert translated(stored) == shown


@pytest.mark.parametrize(
    "text",
    ["x: " * 300, "x; " * 300, "no answer within 1 s; " * 40, "a: " * 400 + "x", "9" * 5000],
    ids=["places", "semicolons", "known", "deep", "digits"],
)
def test_a_text_that_never_ends_is_read_all_the_same(use_translations: Use, text: str) -> None:
    use_translations(stored=STORED)
    with reading_in("de"):
        assert translated(text)
        assert translated(english("{host}: {why}", host="a", why=text))


@pytest.mark.parametrize(
    "content", [None, b"", b"\xde\x12\x04\x95", b"no catalog", b"\xde\x12\x04\x95" + b"\xff" * 40]
)
def test_without_its_catalogs_a_language_is_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    folder = tmp_path / "locale" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "tallyd.mo").write_bytes(content)
    monkeypatch.setattr(catalogs, "files", lambda _package: tmp_path)
    catalogs.catalog.cache_clear()
    with reading_in("de"):
        assert tr("{files:# file|# files} in {folder}", files=1234, folder="in") == "1.234 files in in"
    catalogs.catalog.cache_clear()


def test_two_threads_read_in_two_languages(use_translations: Use) -> None:
    use_translations(tallyd={"stale": "veraltet"})
    both = Barrier(2, timeout=10)

    def read(wanted: Language) -> tuple[str, str]:
        with reading_in(wanted):
            both.wait()
            return translation("stale"), tr("{number}", number=1234.5)

    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(read, ("en", "de"))] == [("stale", "1234.5"), ("veraltet", "1.234,5")]
    assert language() == "en"


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,zh-TW;q=0.5,en;q=0.3", "zh-TW"),
        ("en;q=0.3,zh-Hant;q=0.5", "zh-TW"),
        ("fr, *;q=0.5", "en"),
        ("de;q=0", "en"),
        ("de;q=nonsense, en", "en"),
        ("DE", "de"),
        (",;,;q=,q", "en"),
        ("de;q=nan, zh;q=1", "zh-TW"),
        ("de;q=inf", "de"),
        ("x," * 100_000 + "de", "en"),
        ("\x00" * 1000, "en"),
    ],
)
def test_the_language_of_a_browser(accepted: str, wanted: str) -> None:
    assert language_for(accepted, "en") == wanted


def test_a_browser_without_a_known_language_gets_that_of_the_config() -> None:
    assert language_for("fr", "de") == "de"

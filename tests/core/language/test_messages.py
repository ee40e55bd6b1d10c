"""Messages and stored texts in the reader's language, with catalogs of the test's own."""

from __future__ import annotations

import pytest

from support.translations import Use
from tallyd.core.language.languages import language, language_for, reading_in
from tallyd.core.language.messages import english, mark, mark_english, tr, translated, translation


def test_without_a_reader_everything_is_english() -> None:
    assert language() == "en"
    assert tr("{files:# file|# files} in {folder}", files=1, folder="in") == "1 file in in"
    assert tr("[[literal]]") == "[literal]"
    assert tr("run: {tallyd} check") == english("run: {tallyd} check") == "run: {tallyd} check"


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
    ],
)
def test_the_language_of_a_browser(accepted: str, wanted: str) -> None:
    assert language_for(accepted, "en") == wanted


def test_a_browser_without_a_known_language_gets_that_of_the_config() -> None:
    assert language_for("fr", "de") == "de"

"""The HTTP client over TLS: which certificates it trusts, its messages when it does not, and deadlines."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from support.asking import begin_check, get, post, refused
from support.rawserver import SLOW, Connection, RawServer, Script, always, answer, once, serving
from tallyd.adapters.http.ca_store import TrustStore
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError, Stopped

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def client(ca_file: Path) -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file)
    yield made
    made.close()


def presenting(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    return presenting(authority.issue_cert("127.0.0.1"))


@pytest.fixture
def secured(context: ssl.SSLContext) -> Callable[[Script], contextlib.AbstractContextManager[RawServer]]:
    """Return `serving` with a certificate that the client trusts."""
    return lambda script: serving(script, tls=context)


Secured = Callable[[Script], contextlib.AbstractContextManager[RawServer]]


def both_on_one_port(context: ssl.SSLContext, script: Script) -> contextlib.AbstractContextManager[RawServer]:
    """Serve `script` over TLS, and redirect to there what comes without."""

    def either(connection: Connection) -> None:
        if connection.sock.recv(1, socket.MSG_PEEK) == b"\x16":  # a handshake of TLS
            connection.sock = context.wrap_socket(connection.sock, server_side=True)
            script(connection)
        else:
            there = f"https://{connection.server.host}/new"
            always(answer(status="301 M", Location=there))(connection)

    return serving(either)


def test_a_trusted_server_is_answered_over_one_connection(client: HttpClient, secured: Secured) -> None:
    with secured(always(answer(b"x" * 100_000))) as server:
        assert [len(get(client, server.url).body) for _ in range(3)] == [100_000] * 3
    assert server.connections == 1


def test_a_large_body_arrives_whole(client: HttpClient, secured: Secured) -> None:
    body, arrived = bytes(range(256)) * 4000, bytearray()

    def upstream(connection: Connection) -> None:
        connection.request()
        while len(arrived) < len(body):
            arrived.extend(connection.sock.recv(65536))
        connection.send(answer(b"OK"))

    with secured(upstream) as server:
        assert post(client, server.url, body).body == b"OK"
    assert arrived == body


def test_the_system_s_certificates_are_trusted_by_default(
    ca_file: Path, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))  # where OpenSSL looks for the system's
    client = HttpClient(user_agent="tallyd", timeout_s=10)
    with secured(always(answer(b"x"))) as server:
        assert get(client, server.url).body == b"x"
    client.close()


@pytest.mark.parametrize(
    ("issue", "what", "transient"),
    [
        pytest.param(
            lambda _ours: trustme.CA().issue_cert("127.0.0.1"),
            "(unable to get local issuer certificate); if it is the right one, put its issuer into ",
            False,
            id="issuer nobody knows",
        ),
        pytest.param(
            lambda ours: ours.issue_cert("elsewhere.example"),
            "(IP address mismatch, certificate is not valid for '127.0.0.1'); use the host name",
            False,
            id="another name",
        ),
        pytest.param(
            lambda ours: ours.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - DAY),
            "(certificate has expired); it must be renewed there, unless this machine's clock is wrong",
            False,
            id="expired",
        ),
        pytest.param(
            lambda ours: ours.issue_cert("127.0.0.1", not_before=datetime.now(UTC) + DAY),
            "(certificate is not yet valid); look at this machine's clock",
            True,
            id="not yet valid, as for a machine that boots in the past",
        ),
    ],
)
def test_an_untrusted_server_is_reported_and_gets_no_key(
    client: HttpClient,
    authority: trustme.CA,
    issue: Callable[[trustme.CA], trustme.LeafCert],
    what: str,
    transient: bool,
) -> None:
    with serving(always(answer(b"x")), tls=presenting(issue(authority))) as server:
        failure = refused(client, f"{server.url}/?key=s3cret")
    assert failure.text.startswith(f"{server.host}: certificate not trusted {what}")
    assert failure.transient is transient
    assert server.heads == []


def test_a_self_signed_certificate_is_not_trusted(client: HttpClient, tmp_path: Path) -> None:
    alone = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    alone.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    alone.cert_pem.write_to_path(str(tmp_path / "cert.pem"))
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving(always(answer(b"x")), tls=context) as server:
        failure = refused(client, server.url)
    assert failure.text.startswith(
        f"{server.host}: certificate not trusted (self-signed certificate); if it is"
    )
    assert not failure.transient


def test_a_server_that_speaks_no_tls_is_named_as_such(client: HttpClient) -> None:
    with serving(lambda connection: connection.send(answer(status="400 Bad Request"))) as server:
        failure = refused(client, f"https://{server.host}/")
    assert failure.text == f"{server.host} does not speak TLS; is its address http:// and not https://?"
    assert failure.transient


def test_no_certificate_is_trusted_beside_those_of_the_file(
    client: HttpClient, ca_file: Path, secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path / "others.pem"
    trustme.CA().cert_pem.write_to_path(str(others))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))  # where OpenSSL looks for the system's
    with secured(always(answer(b"x"))) as server:
        assert get(client, server.url).body == b"x"
        with pytest.raises(SourceError, match="not trusted"):
            begin_check(client, server.url, ca_file=others).result()
    assert TrustStore(others).context().cert_store_stats()["x509_ca"] == 1


def test_certificates_that_were_replaced_are_read_again(tmp_path: Path) -> None:
    ca_file, old, new = tmp_path / "ca.pem", trustme.CA(), trustme.CA()
    old.cert_pem.write_to_path(str(ca_file))
    client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file)
    with serving(always(answer(b"x")), tls=presenting(new.issue_cert("127.0.0.1"))) as server:
        assert "not trusted" in refused(client, server.url).text
        new.cert_pem.write_to_path(str(tmp_path / "new.pem"))
        (tmp_path / "new.pem").replace(ca_file)
        assert get(client, server.url).body == b"x"
        ca_file.unlink()  # as for a moment during an update
        assert get(client, server.url).body == b"x"
    client.close()


@pytest.mark.parametrize(
    "content", [None, "", "not a certificate"], ids=["missing", "empty", "no certificate"]
)
def test_unreadable_certificates_affect_only_tls(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file)
    with serving(always(answer(b"x"))) as server:
        assert get(client, server.url).body == b"x"
        failure = refused(client, server.url.replace("http", "https"))
    client.close()
    assert failure.text.endswith(
        f"{ca_file} can't be read; put the certificate of the authority into it (PEM)"
    )
    assert not failure.transient


def test_the_advice_names_the_file_that_the_target_names_and_else_the_machine_s(
    client: HttpClient, secured: Secured, tmp_path: Path
) -> None:
    others = tmp_path / "others.pem"
    trustme.CA().cert_pem.write_to_path(str(others))
    plain = HttpClient(user_agent="tallyd", timeout_s=10)
    with secured(always(answer(b"x"))) as server:
        with pytest.raises(SourceError, match=f"put its issuer into {others}$"):
            begin_check(client, server.url, ca_file=others).result()
        assert refused(plain, server.url).text.endswith(
            "add its issuer to this machine's trusted certificates"
        )
    plain.close()


def test_without_trusted_certificates_the_message_says_what_to_install(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    (tmp_path / "empty.pem").touch()
    plain = HttpClient(user_agent="tallyd", timeout_s=10)
    with secured(always(answer(b"x"))) as server:
        assert refused(plain, server.url).text.endswith("install ca-certificates")
    plain.close()


def test_a_redirect_from_http_to_https_on_one_host_is_followed(
    client: HttpClient, context: ssl.SSLContext
) -> None:
    with both_on_one_port(context, always(answer(b"there"))) as server:
        reply = get(client, server.url, headers={"X-Key": "s3cret"})
    assert reply.body == b"there"
    assert b"X-Key: s3cret" in server.heads[1]


def test_a_redirect_from_http_to_https_on_another_port_is_not_followed(
    client: HttpClient, secured: Secured
) -> None:
    with (
        secured(always(answer(b"there"))) as other,
        serving(always(answer(status="301 M", Location=f"{other.url}/new"))) as server,
    ):
        failure = refused(client, server.url)
    assert failure.text.startswith(f"{server.host} redirects to {other.host}, which is not followed")
    assert other.connections == 0


def test_a_redirect_from_https_to_http_is_not_followed(client: HttpClient, secured: Secured) -> None:
    with (
        serving(always(answer(b"there"))) as plain,
        secured(always(answer(status="301 M", Location=f"{plain.url}/new"))) as server,
    ):
        failure = refused(client, server.url)
    assert failure.text == f"{server.host} redirects from https to http, which is not followed"
    assert not failure.transient
    assert plain.connections == 0


def test_an_idle_connection_that_was_closed_is_replaced(client: HttpClient, secured: Secured) -> None:
    def one_answer_each(connection: Connection) -> None:
        if connection.request():
            connection.send(answer(b"x"))
            connection.sock.recv(1)

    with secured(one_answer_each) as server:
        assert [get(client, server.url).body for _ in range(3)] == [b"x"] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    ("stray", "connections"),
    [(b"\r\n", 3), (answer(b"stray", status="500 Stray"), 3), (b"", 1)],
    ids=["a line end", "an answer", "nothing"],
)
def test_bytes_behind_an_answer_are_never_a_part_of_the_next(
    client: HttpClient, secured: Secured, stray: bytes, connections: int
) -> None:
    def astray(connection: Connection) -> None:
        while connection.request():
            # One segment, so that the client receives the record behind the answer together with it.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            connection.send(answer(b"x"))
            if stray:
                connection.send(stray)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    with secured(astray) as server:
        assert [get(client, server.url).body for _ in range(3)] == [b"x"] * 3
    assert server.connections == connections


@pytest.mark.parametrize(
    "name", ["no answer at all", "headers byte by byte", "body byte by byte, ended by closing"]
)
def test_the_deadline_holds_over_tls(client: HttpClient, secured: Secured, name: str) -> None:
    with secured(SLOW[name]) as server:
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"timed out after 0\.3 s"):
            get(client, server.url, timeout_s=0.3)
        assert 0.3 <= time.monotonic() - began < 20


def test_the_deadline_also_holds_if_a_redirect_uses_an_idle_connection(
    client: HttpClient, context: ssl.SSLContext
) -> None:
    def drip_second(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b"first"))
        SLOW["headers byte by byte"](connection)

    with both_on_one_port(context, drip_second) as server:
        assert get(client, server.url.replace("http:", "https:")).body == b"first"
        began = time.monotonic()
        with pytest.raises(SourceError, match="timed out"):
            get(client, server.url, timeout_s=0.3)
        assert time.monotonic() - began < 20
    assert server.connections == 2


def test_abort_ends_a_transfer_over_tls_at_once(client: HttpClient, secured: Secured) -> None:
    timer = threading.Timer(0.2, client.abort)
    with secured(SLOW["body byte by byte, ended by closing"]) as server:
        timer.start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            get(client, server.url)
        assert time.monotonic() - began < 20
    timer.join()


def test_a_server_that_closes_in_the_handshake_is_a_failure_that_may_pass(client: HttpClient) -> None:
    def close_after_hello(connection: Connection) -> None:
        connection.sock.recv(65536)

    with serving(close_after_hello) as server:
        failure = refused(client, f"https://{server.host}/")
    assert failure.text.startswith(f"{server.host}: ")
    assert failure.transient
    with serving(once(b"")) as gone:
        pass
    assert refused(client, f"https://{gone.host}/").text == f"{gone.host}: connection refused"


def test_a_server_that_asks_for_our_certificate_gets_it(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.issue_cert("127.0.0.1").configure_cert(context)
    ours.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    own, authority = tmp_path / "own.pem", tmp_path / "ca.pem"
    ours.issue_cert("tallyd.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    theirs.cert_pem.write_to_path(str(authority))
    client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=authority)
    try:
        with serving(always(answer(b"x")), tls=context) as server:
            assert get(client, server.url, client_cert=own).body == b"x"
            with pytest.raises(SourceError, match=r"certificate required|handshake|connection"):
                get(client, server.url)
            gone = tmp_path / "gone.pem"
            with pytest.raises(SourceError) as caught:
                get(client, server.url, client_cert=gone)
        assert str(caught.value) == (
            f"{server.host}: {authority}, or {gone} (our certificate and its key) can't be read; put the "
            "certificate of the authority into it (PEM)"
        )
    finally:
        client.close()

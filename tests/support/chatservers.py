"""Services that take messages, on loopback: over HTTP (JSON, Rocket.Chat, Telegram) and over SMTP."""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request as it arrived, at `at_s` since 1970."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b'{"success": true, "ok": true}'
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class WebService:
    """Answers a path with its reply in `replies`, any other with 200, and keeps what it got."""

    port: int
    posted: list[Posted] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Posted]:
        return [each for each in self.posted if each.path == path]


@contextlib.contextmanager
def web_service(*, tls: ssl.SSLContext | None = None) -> Iterator[WebService]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            got = Posted(self.command, self.path, dict(self.headers), self.rfile.read(length), time.time())
            service.posted.append(got)
            reply = service.replies.get(self.path, Reply())
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST  # noqa: N815 # as http.server calls it

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        service = WebService(server.server_address[1])
        with _running(server):
            yield service


LOGINS = (b"\0user\0s3cret-pass", b"\0us@er\0s3cret/p@ss")


@dataclass(frozen=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass
class MailServer:
    """Takes mail from `user` with `s3cret-pass`, from `us@er` with `s3cret/p@ss`; refuses `full.example`."""

    port: int
    mails: list[Mail] = field(default_factory=list)


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.sender, self.recipients = "", list[str]()
            self.say("220 mail.example ready")
            while line := self.rfile.readline():
                verb, _, rest = line.decode().strip().partition(" ")
                if verb.upper() == "QUIT":
                    self.say("221 bye")
                    return
                self.take(verb.upper(), rest)

        def take(self, verb: str, rest: str) -> None:
            if verb == "EHLO":
                self.say("250-mail.example\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                given = base64.b64decode(rest.split()[1])
                self.say("235 welcome" if given in LOGINS else "535 no")
            elif verb == "MAIL":
                self.sender = rest
                self.say("250 ok")
            elif verb == "RCPT":
                refused = "@full.example" in rest
                self.recipients += [] if refused else [rest]
                self.say("550 mailbox full" if refused else "250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                data = b"".join(line.removeprefix(b".") if line[:2] == b".." else line for line in lines)
                server.mails.append(Mail(self.sender, tuple(self.recipients), data))
                self.say("250 taken")
            else:
                self.say("250 ok")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as listener:
        server = MailServer(listener.server_address[1])
        with _running(listener):
            yield server


@contextlib.contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(timeout=5)

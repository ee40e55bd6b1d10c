"""A proxy between a daemon and its PostgreSQL, which cuts, delays, or holds a COMMIT on its way."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress


class TcpProxy:
    """Passes everything on from a port of loopback to another, until a test disturbs it.

    `delay_s`: each piece waits so long. `is_cut`: nobody gets through, and who was connected is thrown out.
    `holds_commit`: the next COMMIT of something that `changes` finds in its transaction waits until it is let
    go, and all other connections are cut meanwhile.
    """

    def __init__(self, target: int, *, changes: re.Pattern[bytes] = re.compile(b"")) -> None:
        self.target = target
        self.changes = changes
        self.delay_s = 0.0
        self.is_cut = False
        self.holds_commit = False
        self.held = threading.Event()
        self.let_go = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *, but: socket.socket | None = None) -> None:
        """Throw everybody out, and let nobody in."""
        self.is_cut = True
        for pair in self._pairs:
            if but not in pair:
                for each in pair:
                    _end(each)
        self._pairs = [pair for pair in self._pairs if but in pair]

    def mend(self) -> None:
        """Pass everything on again."""
        self.is_cut, self.delay_s, self.holds_commit = False, 0.0, False
        self.let_go.set()

    def hold_next_commit(self) -> None:
        self.held.clear()
        self.let_go.clear()
        self.holds_commit = True

    def close(self) -> None:
        self.mend()
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                _end(client)
                continue
            if self.is_cut:
                _end(client)
                _end(server)
                continue
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass, args=(source, sink, source is client), daemon=True
                ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_asking: bool) -> None:
        has_changed = False
        with suppress(OSError):
            while data := source.recv(65536):
                if self.delay_s:
                    time.sleep(self.delay_s)
                has_changed = (has_changed and b"BEGIN" not in data) or bool(self.changes.search(data))
                if is_asking and self.holds_commit and has_changed and b"COMMIT" in data:
                    self.holds_commit = False
                    self.cut(but=source)
                    self.held.set()
                    self.let_go.wait(60)
                sink.sendall(data)
        _end(source)
        _end(sink)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        one.close()

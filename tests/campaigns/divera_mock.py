"""A Divera API of two people on loopback port 8099, for the service campaign; it answers every path alike.

What is posted to it, as to the webhook of a chat, is appended to /run/notices.
"""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

# Nothing that tallyd writes may hold the name.
_PEOPLE = [{"user_cluster_relation_id": n, "status_id": 50101 + n, "firstname": "Zita"} for n in range(2)]
_BODY = json.dumps({"success": True, "data": _PEOPLE}).encode()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(_BODY)))
        self.end_headers()
        self.wfile.write(_BODY)

    def do_POST(self) -> None:
        posted = self.rfile.read(int(self.headers["Content-Length"]))
        with Path("/run/notices").open("ab") as notices:
            notices.write(self.path.encode() + b" " + posted + b"\n")
        self.do_GET()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8099), _Answer).serve_forever()

"""A web server on this machine for the tests, with pages of all kinds, rude ones among them."""

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.pictures import encoded, upright

JPEG, PNG = encoded(upright()), encoded(upright(60, 90), "PNG")
HTML = b"<!DOCTYPE html><html><body>No photo here</body></html>"

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Page:
    """An answer: status, body, headers beside those that always come."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, asked: BaseHTTPRequestHandler) -> None:
        """Answer."""
        headers = {"Content-Type": "image/jpeg", "Content-Length": str(len(self.body))}
        asked.send_response(self.status)
        for name, value in (headers | self.headers).items():
            asked.send_header(name, value)
        asked.end_headers()
        asked.wfile.write(self.body)


def redirect(to: str, status: int = 302, **headers: str) -> Page:
    """Send the asker elsewhere."""
    return Page(status=status, headers={"Location": to, **headers})


class Site:
    """A server: `pages` by path, all else is not found; `asked` notes path and headers."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {"/a.jpg": Page(JPEG), "/b.png": Page(PNG)}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers)))
                self.close_connection = True
                with suppress(OSError):  # the asker has had enough
                    site.pages.get(self.path, Page(b"none", 404))(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Name a page."""
        return f"http://{host}:{self.port}{path}"

    def page(self, answer: Answer, path: str = "/page.jpg") -> str:
        """Put up a page; give its URL."""
        self.pages[path] = answer
        return self.url(path)

    def hits(self) -> list[str]:
        """Give the paths asked for since the last time, sorted."""
        paths = sorted(path for path, _ in self.asked)
        self.asked.clear()
        return paths

    def close(self) -> None:
        """End it, and the answers that go on."""
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    # Rude answers.

    def silent(self, asked: BaseHTTPRequestHandler) -> None:
        """Say nothing for as long as there are tests."""
        self.closing.wait(20)

    def stalled(self, asked: BaseHTTPRequestHandler) -> None:
        """Stop in the middle of a photo."""
        _begin(asked, len(JPEG))
        asked.wfile.write(JPEG[:500])
        self.closing.wait(20)

    def dripping(self, asked: BaseHTTPRequestHandler) -> None:
        """Send a photo, never silent for long, for as long as there are tests."""
        _begin(asked, 1_000_000)
        while not self.closing.wait(0.01):
            asked.wfile.write(b"x")

    def dripping_headers(self, asked: BaseHTTPRequestHandler) -> None:
        """Take as long over the headers."""
        asked.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(400):
            asked.wfile.write(b"X-%d: x\r\n" % number)
            time.sleep(0.01)
        asked.wfile.write(b"Content-Length: 1\r\n\r\nx")

    def endless(self, asked: BaseHTTPRequestHandler) -> None:
        """Send without end, and without saying how much."""
        asked.send_response(200)
        asked.end_headers()
        while not self.closing.is_set():
            asked.wfile.write(bytes(65536))


def declaring(size: int) -> Answer:
    """Declare a size, send less, and close."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        _begin(asked, size)
        asked.wfile.write(JPEG[:500])

    return answer


def reset(asked: BaseHTTPRequestHandler) -> None:
    """Break the connection off, as a crashed server does."""
    asked.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    asked.connection.close()


def raw(data: bytes) -> Answer:
    """Answer with these bytes, whether they are HTTP or not."""
    return lambda asked: asked.connection.sendall(data)


def packed(data: bytes, packing: str = "gzip") -> Page:
    """Send gzip, called whatever."""
    return Page(gzip.compress(data), headers={"Content-Encoding": packing})


def _begin(asked: BaseHTTPRequestHandler, size: int) -> None:
    asked.send_response(200)
    asked.send_header("Content-Length", str(size))
    asked.end_headers()

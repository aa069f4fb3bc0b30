"""Fetch the bytes behind a URL: bounded in time and size, from public hosts, sending no secrets.

httpcore has no proxies from the environment, no cookies, no passwords and follows no redirect by
itself; what little is needed of that is here, to be read.
"""

import ssl
import time
from functools import cache
from threading import BoundedSemaphore, Lock
from weakref import WeakValueDictionary

import certifi
import httpcore
import httpx

from batch.addresses import Connections, Resolve, look_up
from batch.damage import PhotoError
from batch.urls import Limits

PER_HOST = 4  # connections at once: more would be rude
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS = [
    (b"User-Agent", b"photo-captions"),
    (b"Accept", b"image/*, */*;q=0.5"),
    (b"Accept-Encoding", b"identity"),  # photos are packed as they are
]
AGAIN = "run again, and look at it in a browser if it stays so"
# What an answer other than the photo means; the others are `io`: they may pass.
ANSWERS = {
    401: ("denied", "asks for a password (401): download it, and caption it as a file"),
    403: ("denied", "may not be fetched (403): download it, and caption it as a file"),
    404: ("vanished", "is not there (404): check the URL"),
    410: ("vanished", "is no longer there (410): take it off the list"),
    429: ("io", "is on a host that wants fewer questions (429): run again later"),
}

_turns: WeakValueDictionary[str, BoundedSemaphore] = WeakValueDictionary()
_turns_lock = Lock()


def fetch(url: str, limits: Limits, resolve: Resolve = look_up) -> bytes:
    """Fetch what is behind a URL, whatever its server says that it is.

    Redirects are followed, each to be as allowed as the URL itself. Raises PhotoError, with
    `unsupported` for what is no URL of the web, `denied` for what may not be asked for or is not
    given, `vanished`, `too_large`, and `io` for all that may pass.
    """
    here = _parsed(url)
    seconds = limits.total_s
    for _ in range(limits.redirects + 1):
        with _turn(_host(here)):  # the time spent waiting for a turn is not the server's
            deadline = time.monotonic() + seconds
            connections = Connections(deadline, resolve, allow_private=limits.allow_private)
            found = _ask(here, limits, connections)
            seconds = deadline - time.monotonic()
        if isinstance(found, bytes):
            return found
        here = found
    raise PhotoError("io", f"was redirected more than {limits.redirects} times: {AGAIN}")


def _turn(host: str) -> BoundedSemaphore:
    """Give what lets a few threads at once ask a host; it is there while one of them needs it."""
    with _turns_lock:
        return _turns.setdefault(host, BoundedSemaphore(PER_HOST))


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
        is_of_the_web = _is_of_the_web(parsed)
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: bytes that are no text
        reason = " ".join(str(error).split())[:100]
        raise PhotoError("unsupported", f"is no URL ({reason}): correct it") from error
    if not is_of_the_web:
        raise PhotoError("unsupported", "is no http or https URL: correct it, or take it off")
    return _without_secrets(parsed)


def _redirected(here: httpx.URL, location: str) -> httpx.URL:
    """Follow a redirect's text from where it was found."""
    try:
        there = here.join(location)
        is_of_the_web = _is_of_the_web(there)
    except (httpx.InvalidURL, ValueError) as error:
        raise PhotoError("io", f"redirects to what is no URL: {AGAIN}") from error
    if not is_of_the_web:
        raise PhotoError("denied", "redirects to what is not of the web, which is not followed")
    return _without_secrets(there)


def _is_of_the_web(url: httpx.URL) -> bool:
    return url.scheme in ("http", "https") and bool(_host(url)) and (url.port or 80) <= 65535


def _host(url: httpx.URL) -> str:
    """Give the host as it is asked for; httpx' own decodes it, and fails where it is no IDNA."""
    return url.raw_host.decode("ascii")


def _without_secrets(url: httpx.URL) -> httpx.URL:
    if url.userinfo:
        text = "names a user or a password, which are never sent: download it, caption it as a file"
        raise PhotoError("denied", text)
    return url


def _ask(url: httpx.URL, limits: Limits, connections: Connections) -> bytes | httpx.URL:
    """Ask once; give the body, or the URL that the answer redirects to."""
    try:
        return _answer(url, limits, connections)
    except httpcore.TimeoutException as error:
        slow = f"{limits.read_s:g} s of silence, or {limits.total_s:g} s in all"
        raise PhotoError("io", f"came too slowly (more than {slow}): {AGAIN}") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            reason = error.__cause__.verify_message
            text = f"is on {_host(url)}, whose certificate is not valid ({reason})"
            raise PhotoError("io", f"{text}: check the URL") from error
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise PhotoError("io", f"could not be fetched ({reason}): {AGAIN}") from error


def _answer(url: httpx.URL, limits: Limits, connections: Connections) -> bytes | httpx.URL:
    target = httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    timeouts = {"connect": limits.connect_s, "read": limits.read_s, "write": limits.read_s}
    with (
        httpcore.HTTPConnection(
            target.origin, ssl_context=_tls(), network_backend=connections
        ) as connection,
        connection.stream(
            "GET",
            target,
            headers=[(b"Host", url.netloc), *HEADERS],
            extensions={"timeout": timeouts},
        ) as answer,
    ):
        location = _header(answer, b"location")
        if answer.status in REDIRECTS and location:
            return _redirected(url, location.decode("utf-8", "replace"))
        if answer.status != 200:
            other = ("io", f"got the answer {answer.status} instead of the photo: {AGAIN}")
            raise PhotoError(*ANSWERS.get(answer.status, other))
        return _body(answer, limits.max_bytes)


def _header(answer: httpcore.Response, name: bytes) -> bytes:
    return next((value for key, value in answer.headers if key.lower() == name), b"")


def _body(answer: httpcore.Response, max_bytes: int) -> bytes:
    """Read the body, counting what comes; nothing believes the headers."""
    if _header(answer, b"content-encoding").strip().lower() not in (b"", b"identity"):
        text = "comes packed, which was not asked for: download it, and caption it as a file"
        raise PhotoError("unsupported", text)
    large = PhotoError("too_large", f"has more than {max_bytes:,} bytes: give a smaller copy's URL")
    declared = _header(answer, b"content-length")
    if declared.isdigit() and int(declared) > max_bytes:
        raise large
    body = bytearray()
    for part in answer.iter_stream():
        body += part
        if len(body) > max_bytes:
            raise large
    return bytes(body)


@cache
def _tls() -> ssl.SSLContext:
    """Trust the system's certificates, a company's own among them, and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

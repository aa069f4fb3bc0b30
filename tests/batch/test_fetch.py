"""Whatever a server does, a fetch gives bytes or says what is wrong, in bounded time and size."""

import shutil
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpcore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import batch.fetch
from batch.damage import PhotoError
from batch.fetch import PER_HOST, fetch
from batch.photos import load
from batch.urls import Limits, UrlPhoto
from tests.batch.site import (
    HTML,
    JPEG,
    PNG,
    Page,
    Site,
    declaring,
    packed,
    raw,
    redirect,
    reset,
)

HERE = Limits(allow_private=True)
SHORT = replace(HERE, total_s=0.3)
SMALL = replace(HERE, max_bytes=100_000)
STATUSES = {"unsupported", "denied", "vanished", "too_large", "io"}
PUBLIC = "93.184.215.14"
with_site = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def internet(monkeypatch, site):
    """Let the public address lead to the site; note every address connected to."""
    noted: list[str] = []
    connect = httpcore.SyncBackend.connect_tcp

    def connect_here(self, host, port, *rest):
        noted.append(host)
        return connect(self, "127.0.0.1" if host == PUBLIC else host, port, *rest)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect_here)
    return noted


def public(host: str, port: int) -> list[str]:
    """Resolve every name as that of a public host, and numbers as themselves."""
    return [PUBLIC if host.endswith("example") else host]


def refused(url: str, limits: Limits = HERE, **options) -> tuple[str, str]:
    with pytest.raises(PhotoError) as found:
        fetch(url, limits, **options)
    assert "\n" not in str(found.value)
    return found.value.status, str(found.value)


# What is given.


@pytest.mark.parametrize(("path", "data"), [("/a.jpg", JPEG), ("/b.png", PNG)])
def test_a_photo_is_its_bytes(site, path, data):
    assert fetch(site.url(path), HERE) == data


@pytest.mark.parametrize("kind", ["text/html", "application/pdf", "", "image/png"])
def test_what_the_server_says_of_its_kind_is_not_believed(site, kind):
    url = site.page(Page(PNG, headers={"Content-Type": kind}))
    found = load(UrlPhoto("", url, 0, 0, HERE))
    assert (found.status, found.format, found.size, found.mtime_ns) == ("ok", "PNG", len(PNG), 0)


def test_a_web_page_said_to_be_a_photo_is_unreadable(site):
    found = load(UrlPhoto("", site.page(Page(HTML)), 0, 0, HERE))
    assert (found.status, found.size, found.pixels) == ("unreadable", len(HTML), None)
    assert "web page" in found.error


def test_a_body_of_unknown_length_ends_with_its_connection(site):
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    assert fetch(site.page(raw(head + JPEG)), HERE) == JPEG


def test_a_path_in_any_script_is_asked_for_in_utf_8(site):
    path = "/%EC%82%AC%EC%A7%84/%EA%B0%80%20%EB%82%98.jpg?q=%ED%95%9C"
    site.page(Page(JPEG), path)
    assert fetch(site.url("/사진/가 나.jpg?q=한#여기"), HERE) == JPEG
    assert site.hits() == [path]


def test_only_what_is_needed_is_told_to_the_server(site, monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    first = site.page(redirect("/a.jpg", **{"Set-Cookie": "id=1"}))
    assert fetch(first, HERE) == JPEG
    assert [path for path, _ in site.asked] == ["/page.jpg", "/a.jpg"]
    for _, headers in site.asked:
        assert headers.keys() == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
        assert headers["Accept-Encoding"] == "identity"
        assert headers["User-Agent"] == "photo-captions"
        assert headers["Host"] == f"127.0.0.1:{site.port}"


# Answers that are no photo.

ANSWERS = {
    **dict.fromkeys((401, 403), "denied"),
    **dict.fromkeys((404, 410), "vanished"),
    **dict.fromkeys((204, 206, 300, 304, 400, 429, 451, 500, 502, 503), "io"),
}


@pytest.mark.parametrize(("status", "word"), ANSWERS.items())
def test_an_answer_that_is_no_photo_is_told(site, status, word):
    body = b"" if status in (204, 304) else JPEG
    assert refused(site.page(Page(body, status)))[0] == word
    assert str(status) in refused(site.page(Page(body, status)))[1]


def test_a_host_that_is_not_there_may_be_there_later(site):
    site.close()
    assert refused(site.url("/a.jpg"))[0] == "io"


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("there", ["/a.jpg", "a.jpg", "../a.jpg", "//127.0.0.1:{port}/a.jpg"])
def test_a_redirect_is_followed(site, status, there):
    url = site.page(redirect(there.format(port=site.port), status))
    assert fetch(url, HERE) == JPEG


def chain(site: Site, hops: int) -> str:
    for hop in range(hops):
        site.page(redirect(f"/{hop}" if hop else "/a.jpg"), f"/{hop + 1}")
    return site.url(f"/{hops}")


def test_as_many_redirects_as_are_allowed_and_no_more(site):
    assert fetch(chain(site, 5), HERE) == JPEG
    assert refused(chain(site, 6)) == (
        "io",
        "was redirected more than 5 times: run again, and look at it in a browser if it stays so",
    )


def test_a_redirect_in_a_circle_ends(site):
    assert refused(site.page(redirect("/page.jpg")))[0] == "io"
    assert len(site.asked) == 6


@pytest.mark.parametrize(
    "there", ["file:///etc/passwd", "ftp://h/a.jpg", "data:image/png,x", "javascript:x"]
)
def test_a_redirect_out_of_the_web_is_not_followed(site, there):
    status, text = refused(site.page(redirect(there)))
    assert (status, "not followed" in text) == ("denied", True)


def test_a_redirect_to_no_url_is_told(site):
    assert refused(site.page(redirect("http://[1:/")))[0] == "io"


NO_IDNA = ["xn--", "xn--a.com", "[fe80::1%\uc0ac]"]


@pytest.mark.parametrize("host", NO_IDNA)
def test_a_redirect_to_a_name_that_cannot_be_one_is_told(site, host):
    location = f"http://{host}/".encode()
    url = site.page(raw(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"))
    assert refused(url)[0] == "io"


def test_a_redirect_with_a_password_is_not_followed(site):
    url = site.page(redirect(f"http://me:secret@127.0.0.1:{site.port}/a.jpg"))
    status, text = refused(url)
    assert (status, "secret" in text) == ("denied", False)
    assert site.hits() == ["/page.jpg"]


PRIVATE = ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0", "10.1.2.3"]
PRIVATE += ["127.1", "017700000001", "169.254.169.254", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"]


@pytest.mark.parametrize("host", PRIVATE)
def test_a_redirect_to_a_private_address_is_refused(site, internet, host):
    site.page(redirect(site.url("/a.jpg", host)))

    def resolve(name, port):
        return [PUBLIC] if name == "photos.example" else batch.fetch.look_up(name, port)

    status, text = refused(site.url("/page.jpg", "photos.example"), Limits(), resolve=resolve)
    assert (status, "ALLOW_PRIVATE=1" in text) == ("denied", True)
    assert site.hits() == ["/page.jpg"]
    assert internet == [PUBLIC]


# Where it may go.


@pytest.mark.parametrize("host", [*PRIVATE, "localhost"])
def test_a_private_address_is_refused_in_all_its_forms_unless_allowed(site, internet, host):
    status, text = refused(site.url("/a.jpg", host), Limits())
    assert (status, "ALLOW_PRIVATE=1" in text) == ("denied", True)
    assert (site.asked, internet) == ([], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost"])
def test_a_private_address_that_is_allowed_is_asked(site, host):
    assert fetch(site.url("/a.jpg", host), HERE) == JPEG


@pytest.mark.parametrize(
    "host", ["0177.0.0.1", "1\uff0e1.1.1:x", "[::1", "[fe80::1%25eth0", "a b:1:2"]
)
def test_a_host_in_a_form_of_no_url_is_refused(host):
    assert refused(f"http://{host}/a.jpg", Limits())[0] in ("unsupported", "io")


def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(site, internet):
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    url = site.url("/a.jpg", "photos.example")
    assert fetch(url, Limits(), resolve=rebinding) == JPEG
    assert (asked, internet) == (["photos.example"], [PUBLIC])
    assert refused(url, Limits(), resolve=rebinding)[0] == "denied"
    assert internet == [PUBLIC]
    assert site.asked[0][1]["Host"] == f"photos.example:{site.port}"


def test_a_name_that_turns_private_between_redirects_is_refused(site, internet):
    answers = [[PUBLIC], ["127.0.0.1"]]
    site.page(redirect("/a.jpg"))
    url = site.url("/page.jpg", "photos.example")
    assert refused(url, Limits(), resolve=lambda *_: answers.pop(0))[0] == "denied"
    assert site.hits() == ["/page.jpg"]


@pytest.mark.parametrize(
    "url",
    ["http://me:secret@photos.example/", "http://me@photos.example/a", "https://:x@p.example"],
)
def test_a_password_is_never_sent_and_never_told(url, internet):
    status, text = refused(url, resolve=public)
    assert (status, "secret" in text, internet) == ("denied", False, [])


@pytest.mark.parametrize(
    "url",
    [
        *("", "a.jpg", "photos/a.jpg", "/etc/passwd", "//h/a.jpg", "C:\\a.jpg", "http:", "http://"),
        *("file:///etc/passwd", "ftp://h/a", "data:image/png;base64,AA", "javascript:alert(1)"),
        *("http:///a.jpg", "http://h:99999/", "http://h:x/", "http://h\t/", "http://h/\udcff"),
        "=HYPERLINK(1)",
    ],
)
def test_what_is_no_url_of_the_web_is_unsupported(url):
    assert refused(url)[0] == "unsupported"


@pytest.mark.parametrize("host", NO_IDNA)
def test_a_name_that_cannot_be_one_is_told(host):
    assert refused(f"http://{host}/a.jpg")[0] in ("unsupported", "io")


SPELLED = st.lists(st.sampled_from(["xn--", *"htps:/@[]%.0123456789abcdefx\\?#"]), max_size=40)


@settings(deadline=None)
@given(st.text(max_size=40) | SPELLED.map("".join))
def test_no_text_makes_it_fail_in_another_way(text):
    def nowhere(host, port):
        raise OSError("no such host")

    for url in (text, f"http://{text}", f"https://h/{text}"):
        assert refused(url, resolve=nowhere)[0] in STATUSES


# Time.


@pytest.mark.parametrize("manner", ["silent", "stalled"])
def test_silence_is_not_waited_for(site, manner):
    status, text = refused(site.page(getattr(site, manner)), replace(HERE, read_s=0.1))
    assert (status, "too slowly (more than 0.1 s of silence" in text) == ("io", True)


@pytest.mark.parametrize("manner", ["dripping", "dripping_headers"])
def test_a_server_that_drips_is_cut_off(site, manner):
    status, text = refused(site.page(getattr(site, manner)), SHORT)
    assert (status, "0.3 s in all" in text) == ("io", True)


def test_no_single_wait_outlasts_the_time_in_all(site):
    def late(asked):
        site.closing.wait(1)
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")(asked)

    status, text = refused(site.page(late), SHORT)
    assert (status, "0.3 s in all" in text) == ("io", True)


def test_redirects_share_the_time_of_one_fetch(site):
    def slow_redirect(asked):
        time.sleep(0.1)
        redirect("/page.jpg")(asked)

    status, text = refused(site.page(slow_redirect), replace(SHORT, redirects=100))
    assert (status, "too slowly" in text) == ("io", True)


# Size.


def test_a_photo_as_large_as_is_allowed_comes_and_one_byte_more_does_not(site):
    url = site.page(Page(bytes(100_000)))
    assert len(fetch(url, SMALL)) == 100_000
    site.page(Page(bytes(100_001)))
    assert refused(url, SMALL) == (
        "too_large",
        "has more than 100,000 bytes: give a smaller copy's URL",
    )


def test_a_body_without_end_is_cut_off(site):
    assert refused(site.page(site.endless), SMALL)[0] == "too_large"


def test_a_size_that_is_declared_too_large_is_not_waited_for(site):
    def declare(asked):
        asked.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        site.closing.wait(20)

    assert refused(site.page(declare))[0] == "too_large"


def test_a_body_shorter_than_declared_may_be_whole_later(site):
    assert refused(site.page(declaring(len(JPEG))))[0] == "io"


@pytest.mark.parametrize("packing", ["gzip", "X-GZIP", "br", "gzip, gzip", "none"])
def test_what_comes_packed_is_refused_unread(site, packing):
    status, text = refused(site.page(packed(JPEG, packing)))
    assert (status, "comes packed" in text) == ("unsupported", True)
    assert refused(site.page(packed(bytes(50_000_000), packing)), SMALL)[0] == "unsupported"


@pytest.mark.parametrize("packing", ["", "identity", " Identity"])
def test_what_is_said_to_come_as_it_is_does(site, packing):
    assert fetch(site.page(Page(JPEG, headers={"Content-Encoding": packing})), HERE) == JPEG


# Servers that break.


@pytest.mark.parametrize(
    "answer",
    [
        reset,
        raw(b""),
        raw(b"HTTP/1.1 200"),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(JPEG),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 300_000 + b"\r\n\r\n"),
    ],
)
def test_an_answer_that_is_broken_may_be_whole_later(site, answer):
    assert refused(site.page(answer))[0] == "io"


HEADS = st.sampled_from(
    [
        *(b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 ", b"HTTP/1.1 302 Found\r\nLocation: "),
        b"HTTP/1.1 302 Found\r\nLocation: http://xn--",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    ]
)


@with_site
@given(head=HEADS, tail=st.binary(max_size=60), end=st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]))
def test_no_answer_makes_it_fail_in_another_way(site, head, tail, end):
    url = site.page(raw(head + tail + end))
    try:
        assert isinstance(fetch(url, SMALL, resolve=public), bytes)
    except PhotoError as error:
        assert error.status in STATUSES


# Many at once.


def test_many_at_once_all_come_and_few_at_once_ask_one_host(site):
    lock, now, peak = threading.Lock(), [0], [0]

    def count(asked):
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        Page(asked.path.encode())(asked)

    urls = [site.page(count, f"/{number}.jpg") for number in range(64)]
    with ThreadPoolExecutor(64) as threads:
        found = list(threads.map(lambda url: fetch(url, HERE), urls))
    assert found == [f"/{number}.jpg".encode() for number in range(64)]
    assert 1 < peak[0] <= PER_HOST


def test_waiting_for_a_turn_is_not_the_server_s_time(site):
    turn = batch.fetch._turn("127.0.0.1")
    for _ in range(PER_HOST):
        turn.acquire()
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(fetch, site.url("/a.jpg"), replace(HERE, total_s=0.5))
        time.sleep(0.7)
        assert not found.done()
        assert site.asked == []
        for _ in range(PER_HOST):
            turn.release()
        assert found.result() == JPEG


def test_a_failed_fetch_gives_its_turn_back(site):
    url = site.page(reset)
    for _ in range(3 * PER_HOST):
        assert refused(url)[0] == "io"
    assert fetch(site.url("/a.jpg"), HERE) == JPEG


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate for photos.example and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    names = ["-subj", "/CN=photos.example", "-addext", "subjectAltName=DNS:photos.example"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True
    )
    return folder


@pytest.fixture
def secure(site, certificate):
    """Let the site speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    return site


def secure_url(site: Site, host: str) -> str:
    return site.url("/a.jpg", host).replace("http:", "https:")


def test_a_certificate_that_nobody_vouches_for_is_refused(secure, internet):
    status, text = refused(secure_url(secure, "photos.example"), Limits(), resolve=public)
    assert (status, "certificate is not valid" in text) == ("io", True)
    assert secure.asked == []


def test_the_certificate_is_checked_by_the_name_and_the_connection_goes_to_the_address(
    secure, internet, certificate, monkeypatch
):
    context = ssl.create_default_context(cafile=certificate / "certificate.pem")
    monkeypatch.setattr(batch.fetch, "_tls", lambda: context)
    url = secure_url(secure, "photos.example")
    assert fetch(url, Limits(), resolve=public) == JPEG
    assert internet == [PUBLIC]
    status, text = refused(secure_url(secure, "others.example"), Limits(), resolve=public)
    assert (status, "certificate is not valid" in text) == ("io", True)


def test_the_world_s_certificates_are_trusted_and_names_checked():
    context = batch.fetch._tls()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) > 50


def test_a_server_that_speaks_no_tls_may_later(site):
    assert refused(secure_url(site, "127.0.0.1"))[0] == "io"

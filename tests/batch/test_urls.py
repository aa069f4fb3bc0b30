"""Every URL of a list has its row; what was fetched once is not fetched again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import batch.config
import batch.encode
from batch.__main__ import main
from batch.errors import ArchiveError
from batch.scan import Photo
from batch.urls import Limits, UrlPhoto, read_list, url_photos
from manifests.record import Status
from tests.batch.archives import Archive, caption_of, draw, photo
from tests.batch.site import HTML, JPEG, Page, redirect

ROOT = Path(__file__).parents[2]


# Lists.


@pytest.fixture
def listed(tmp_path):
    def write_and_read(data: bytes) -> tuple[str, ...]:
        (tmp_path / "list.txt").write_bytes(data)
        return read_list(str(tmp_path / "list.txt"))

    return write_and_read


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_list_is_its_lines_in_order_each_once(listed, end, mark):
    lines = [b"# mine", b"http://h/b", b"", b" \t", b"  http://h/a\t", b"http://h/b", b" # not"]
    assert listed(mark + end.join(lines)) == ("http://h/b", "http://h/a")


def test_lines_that_are_no_urls_and_bytes_that_are_no_text_stay(listed):
    found = listed(
        "http://h/사진.jpg\nphoto.jpg\n".encode() + b"http://h/\xff\x01\n\x0b\x1c\xc2\x85"
    )
    assert found == ("http://h/사진.jpg", "photo.jpg", "http://h/\udcff\x01", "\x0b\x1c\x85")
    assert UrlPhoto("", found[2], 0, 0).raw_path == b"http://h/\xff\x01"
    assert UrlPhoto("", found[2], 0, 0).path == "http://h/\\xff\x01"


LINES = st.lists(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=12))


@settings(deadline=None)
@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), mark=st.sampled_from(["", "\ufeff"]))
def test_no_line_is_lost_and_none_comes_twice(tmp_path_factory, lines, end, mark):
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes((mark + end.join(["http://h/first", *lines])).encode())
    found = read_list(str(path))
    meant = [line.strip(" \t") for line in ["http://h/first", *lines]]
    assert found == tuple(dict.fromkeys(m for m in meant if m and not m.startswith("#")))


def test_a_photo_given_for_a_list_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match="is no text; URLS= is a list of URLs"):
        read_list(str(draw(tmp_path / "a.png")))


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_a_list_in_utf_16_is_refused(listed, mark):
    with pytest.raises(ArchiveError, match=r"list\.txt' is UTF-16: save it as UTF-8"):
        listed(mark + b"h\0t\0")


def test_a_list_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ArchiveError, match=r"nowhere\.txt' cannot be read: No such file"):
        read_list(str(tmp_path / "nowhere.txt"))


@pytest.mark.parametrize("url", ["http://h/a.jpg", "HTTPS://h/list.txt"])
def test_a_url_instead_of_a_list_is_told_where_it_belongs(url):
    with pytest.raises(ArchiveError, match=r"URLS= .* is a file with one a line; --url takes one"):
        read_list(url)


def test_a_list_in_a_folder_named_like_a_url_is_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("http:/h").mkdir(parents=True)
    Path("http:/h/list.txt").write_text("http://h/a.jpg")
    assert read_list("http://h/list.txt") == ("http://h/a.jpg",)


def test_what_is_behind_a_url_counts_as_unchanged_and_a_file_does_not():
    assert UrlPhoto("", "http://h/a", 0, 0).is_as_it_was(99, 0)
    assert not Photo("/", "a", 0, 0).is_as_it_was(99, 0)
    assert Photo("/", "a", 99, 5).is_as_it_was(99, 5)


def test_globs_choose_among_urls():
    urls = ["http://h/x/a.JPG", "http://h/y/b.png", "http://g/x/c.jpg"]
    found = url_photos(urls, ["*.jpg"], ["http://g/*"], Limits())
    assert [photo.relative for photo in found] == urls[:1]


# Runs.


@pytest.fixture
def web(archive, stub_captioner, site, monkeypatch):
    """Give an archive that has a list instead of a folder, and runs that may ask the site."""
    monkeypatch.setattr(batch.encode, "CHUNK", 2)
    archive.root.rmdir()
    archive.root = archive.root.with_name("list.txt")
    return archive


def caption(archive: Archive, *urls: str, options: tuple[str, ...] = ()) -> int:
    """Write a list of URLs and caption what is behind them."""
    archive.root.write_text("\n".join(urls), encoding="utf-8")
    return main(command(archive, "--urls", str(archive.root), "--allow-private", *options))


def command(archive: Archive, *options: str) -> list[str]:
    places = ["--features", archive.features, "--captioner", archive.captioner]
    return ["caption", *map(str, places), "--out", str(archive.out), *options]


def test_every_url_is_a_row_with_its_caption_or_what_is_wrong(web, site, tmp_path, capsys):
    site.page(Page(HTML), "/page.jpg")
    site.page(Page(b"", 403), "/secret.jpg")
    site.page(Page(b"", 500), "/broken.jpg")
    site.page(redirect("/a.jpg"), "/moved.jpg")
    site.page(Page(JPEG), "/%EC%82%AC%EC%A7%84.jpg")
    wanted = {
        site.url("/a.jpg"): "captioned",
        site.url("/b.png"): "captioned",
        site.url("/moved.jpg"): "captioned",
        site.url("/사진.jpg"): "captioned",
        site.url("/page.jpg"): "unreadable",
        site.url("/none.jpg"): "vanished",
        site.url("/secret.jpg"): "denied",
        site.url("/broken.jpg"): "io",
        "http://me:secret@127.0.0.1/": "denied",
        "ftp://h/a.jpg": "unsupported",
        "not a URL": "unsupported",
        "=1+1": "unsupported",
    }
    assert caption(web, *wanted, site.url("/a.jpg"), "# a comment", "") == 3
    said = capsys.readouterr()
    assert said.out.startswith("12 photos, 4 captioned")
    assert "8 failed (2 denied, 1 io, 1 unreadable, 3 unsupported, 1 vanished)" in said.out
    rows = web.records
    assert {path: row.status.value for path, row in rows.items()} == wanted
    assert {row.raw_path for row in rows.values()} == {path.encode() for path in wanted}
    assert {row["path"].removeprefix("'"): row["status"] for row in web.csv_rows} == wanted
    for row in rows.values():
        assert row.failed == bool(row.error) == (row.caption is None)
        assert row.mtime_ns == 0
    file = tmp_path / "a.jpg"
    file.write_bytes(JPEG)
    there = rows[site.url("/a.jpg")]
    assert (there.caption, there.size) == (caption_of(file), len(JPEG))
    assert there.caption == rows[site.url("/moved.jpg")].caption
    assert there.caption != rows[site.url("/b.png")].caption
    assert rows[site.url("/page.jpg")].size == len(HTML)
    assert rows[site.url("/none.jpg")].size == 0


def test_what_was_fetched_is_not_fetched_again_and_what_may_pass_is(web, site):
    site.page(Page(HTML), "/page.jpg")
    site.page(Page(b"", 500), "/broken.jpg")
    urls = [site.url(path) for path in ("/a.jpg", "/b.png", "/page.jpg", "/broken.jpg", "/none")]
    assert caption(web, *urls) == 3
    assert site.hits() == ["/a.jpg", "/b.png", "/broken.jpg", "/none", "/page.jpg"]
    before = web.results
    site.page(Page(photo(3)), "/a.jpg")
    assert caption(web, *urls) == 3
    assert site.hits() == ["/broken.jpg", "/none"]
    assert web.results == before
    site.page(Page(photo(1)), "/broken.jpg")
    site.page(Page(photo(2)), "/page.jpg")
    assert caption(web, *urls, options=("--retry-failed",)) == 3
    assert site.hits() == ["/broken.jpg", "/none", "/page.jpg"]
    assert [row.status for row in web.records.values()].count("captioned") == 4
    assert caption(web, *urls, options=("--existing", "overwrite")) == 3
    assert site.hits() == ["/a.jpg", "/b.png", "/broken.jpg", "/none", "/page.jpg"]
    assert web.records[site.url("/a.jpg")].size == len(photo(3))


def test_a_photo_that_cannot_be_fetched_again_keeps_its_caption(web, site):
    url = site.url("/a.jpg")
    assert caption(web, url) == 0
    before = web.records[url]
    site.page(Page(b"", 503), "/a.jpg")
    assert caption(web, url, options=("--existing", "overwrite")) == 3
    now = web.records[url]
    assert (now.status, now.caption, now.photo_id) == ("io", before.caption, before.photo_id)
    site.page(Page(JPEG), "/a.jpg")
    assert caption(web, url) == 0
    assert web.records[url] == before


def test_what_is_taken_off_the_list_is_missing_and_back_without_a_fetch(web, site, capsys):
    one, other = site.url("/a.jpg"), site.url("/b.png")
    caption(web, one, other)
    before = web.records
    site.hits()
    assert caption(web, one) == 0
    assert "1 missing" in capsys.readouterr().out
    gone = web.records[other]
    assert (gone.status, gone.caption) == (Status.MISSING, before[other].caption)
    assert caption(web, other, one) == 0
    assert web.records == before
    assert site.hits() == []


def test_a_list_that_was_emptied_is_refused_and_the_rows_stay(web, site, capsys):
    caption(web, site.url("/a.jpg"))
    before = web.results
    capsys.readouterr()
    assert caption(web) == 1
    assert "none of its 1 photos any more: is it the right list?" in capsys.readouterr().err
    assert web.results == before


def test_a_photo_behind_another_url_takes_its_row_along(web, site):
    caption(web, site.url("/a.jpg"))
    site.page(Page(JPEG), "/new.jpg")
    assert caption(web, site.url("/new.jpg")) == 0
    assert list(web.records) == [site.url("/new.jpg")]


def test_a_limit_leaves_the_rows_of_the_others(web, site):
    one, other = site.url("/a.jpg"), site.url("/b.png")
    caption(web, one, other)
    before = web.results
    assert caption(web, one, other, options=("--limit", "1")) == 0
    assert caption(web, one, other, options=("--exclude", "*.png")) == 0
    assert web.results == before


def test_a_run_that_was_interrupted_fetches_only_the_rest(web, site, monkeypatch):
    monkeypatch.setattr(batch.caption, "SHARD_PHOTOS", 2)
    keep = batch.results.Results.keep

    def keep_and_stop(self, records):
        keep(self, records)
        raise KeyboardInterrupt

    urls = [site.page(Page(photo(number)), f"/{number}.png") for number in range(6)]
    with monkeypatch.context() as broken:
        broken.setattr(batch.results.Results, "keep", keep_and_stop)
        assert caption(web, *urls) == 130
    site.hits()
    assert caption(web, *urls) == 0
    assert not {"/0.png", "/1.png"} & set(site.hits())
    assert [row.status for row in web.records.values()] == ["captioned"] * 6


STOPPED_WHILE_KEEPING = """
import os, runpy, signal, sys
from batch.quiet import start_tensorflow
start_tensorflow()
import batch.caption, batch.encode, batch.results
from tests.batch.archives import FakeEncoder, StubCaptioner

keep = batch.results.Results.keep

def keep_and_signal(self, records):
    keep(self, records)
    os.kill(os.getpid(), int(number))

number = sys.argv.pop(1)
batch.encode.CHUNK = batch.caption.SHARD_PHOTOS = 2
batch.results.Results.keep = keep_and_signal
batch.caption.load_encoder = lambda folder, bfloat16: FakeEncoder()
batch.caption.Captioner.load = StubCaptioner().loaded
runpy.run_module("batch", run_name="__main__", alter_sys=True)
"""


def started(*program: str) -> subprocess.Popen[str]:
    """Start a Python program that Ctrl-C stops; shells let background jobs ignore it."""
    return subprocess.Popen(
        [sys.executable, *program],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
@pytest.mark.parametrize("while_keeping", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_for_slow_servers_is_stopped_at_once_and_goes_on_later(
    web, site, number, while_keeping
):
    slow = [site.page(site.dripping, f"/{n}.jpg") for n in range(40)]
    urls = [site.url("/a.jpg"), site.url("/b.png"), *slow] if while_keeping else slow
    web.root.write_text("\n".join(urls))
    asked = command(web, "--urls", str(web.root), "--allow-private")
    if while_keeping:
        process = started("-c", STOPPED_WHILE_KEEPING, str(int(number)), *asked)
    else:
        process = started("-m", "batch", *asked)
        while not site.asked and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        # It waits for the photos in work. Two that come before it is heard are one.
        assert "stopping at the end" in process.stderr.readline()
        process.send_signal(number)
    try:
        _, said = process.communicate(timeout=Limits().total_s / 2)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.endswith("interrupted; the same command goes on from here\n")
    assert "Traceback" not in said
    assert web.last_run["exit_code"] == 130
    site.hits()
    for url in slow:
        site.page(Page(JPEG), url.removeprefix(site.url("")))
    assert caption(web, *urls) == 0
    assert [row.status for row in web.records.values()] == ["captioned"] * len(urls)
    assert not {"/a.jpg", "/b.png"} & set(site.hits())


def test_a_dry_run_counts_and_asks_nobody(web, site, capsys):
    caption(web, site.url("/a.jpg"), "no URL")
    site.hits()
    capsys.readouterr()
    urls = [site.url("/a.jpg"), "no URL", site.url("/b.png?x=1.5"), site.url("/c.png")]
    assert caption(web, *urls, options=("--dry-run",)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line[-1].isdecimal()] == [
        ["photos", "found", "4"],
        ["captioned", "before", "1"],
        ["not", "a", "scene", "before", "0"],
        ["failed", "before", "1"],
        ["new", "or", "changed", "2"],
    ]
    assert site.asked == []


def test_private_addresses_are_refused_unless_allowed(web, site):
    url = site.url("/a.jpg")
    web.root.write_text(url)
    assert main(command(web, "--urls", str(web.root))) == 3
    row = web.records[url]
    assert (row.status, "ALLOW_PRIVATE=1" in row.error, site.asked) == ("denied", True, [])
    assert caption(web, url) == 0


def test_urls_can_be_given_one_by_one_and_others_keep_their_rows(web, site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = site.url("/a.jpg"), site.url("/b.png")
    places = ["--features", str(web.features), "--captioner", web.captioner, "--allow-private"]
    assert main(["caption", *places, "--url", one, "--url", one]) == 0
    assert main(["caption", *places, "--url", other]) == 0
    assert site.hits() == ["/a.jpg", "/b.png"]
    web.out = tmp_path / "outputs" / "urls"
    assert [(row.path, row.status) for row in web.records.values()] == [
        (one, "captioned"),
        (other, "captioned"),
    ]


def test_results_are_named_after_the_list(web, site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my photos.txt").write_text(site.url("/a.jpg"))
    places = ["--features", str(web.features), "--captioner", web.captioner, "--allow-private"]
    assert main(["caption", *places, "--urls", "my photos.txt"]) == 0
    assert Path("outputs/my photos/captions.csv").is_file()


def test_results_of_another_list_are_refused(web, site, capsys):
    caption(web, site.url("/a.jpg"))
    web.root = web.root.with_name("other.txt")
    assert caption(web, site.url("/a.jpg")) == 1
    assert "holds the captions of" in capsys.readouterr().err
    assert caption(web, site.url("/a.jpg"), options=("--moved",)) == 0


def test_sixty_urls_at_once_each_have_their_own_caption(web, site, tmp_path):
    urls = [site.page(Page(photo(number)), f"/{number}.png") for number in range(60)]
    assert caption(web, *urls) == 0
    for number in (0, 17, 59):
        wanted = caption_of(draw(tmp_path / f"{number}.png", number))
        assert web.captions[urls[number]] == wanted
    assert len(set(web.captions.values())) == 60


# What is refused.


@pytest.mark.parametrize(
    "source",
    [
        ["photos", "--urls", "list.txt"],
        ["--urls", "list.txt", "--", "photos"],
        ["photos", "--url", "http://h/"],
        ["--urls", "list.txt", "--url", "http://h/"],
        ["--urls"],
        [],
    ],
)
def test_one_source_and_no_more_is_asked_for(source, capsys):
    with pytest.raises(SystemExit) as end:
        main(["caption", *source])
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (2, "")
    assert "error: " in said.err


def test_without_the_packages_it_needs_the_remedy_is_told(web, monkeypatch, capsys):
    monkeypatch.setattr(batch.config, "find_spec", lambda name: None)
    assert caption(web, "http://h/a.jpg") == 1
    assert "pip install -r requirements-urls.txt" in capsys.readouterr().err
    assert not web.out.exists()


def test_a_list_that_cannot_be_read_leaves_no_results(web, capsys):
    assert main(command(web, "--urls", str(web.root))) == 1
    assert capsys.readouterr().err.startswith("error: the list ")
    assert not web.out.exists()


NO_NETWORK = """
import sys
import batch.pipeline, batch.photos, batch.encode
sys.exit(str({"httpx", "httpcore", "certifi"} & sys.modules.keys() or ""))
"""


def test_archives_of_files_load_nothing_that_speaks_http():
    found = subprocess.run(
        [sys.executable, "-c", NO_NETWORK], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stderr.strip() == ""


def test_the_note_of_a_run_names_the_list(web, site):
    caption(web, site.url("/a.jpg"))
    note = json.loads((web.out / "last_run.json").read_text())
    assert (note["archive"], note["photos"], note["exit_code"]) == (str(web.root), 1, 0)


def test_a_photo_s_limits_are_those_it_was_given(site):
    small = replace(Limits(allow_private=True), max_bytes=100)
    (found,) = url_photos([site.url("/a.jpg")], (), (), small)
    assert batch.encode.load(found).status == "too_large"

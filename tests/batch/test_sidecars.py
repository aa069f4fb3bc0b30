"""Sidecars beside photos: each photo its own, people's words alone, and no photo touched."""

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch import sidecar_files
from batch.captioned import Captioned
from batch.errors import ArchiveError
from batch.sidecar_places import Naming
from batch.sidecars import export_sidecars
from manifests import durable
from manifests.record import LanguageCaption, Status
from manifests.review import Review, ReviewStatus
from manifests.sidecar import read_xmp
from tests.batch.archives import draw, state_of
from tests.manifests.examples import names, record
from tests.manifests.test_sidecar import DARKTABLE, LIGHTROOM, parts_of

ADOBE = Naming.WITHOUT_ENDING
needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="exiftool is not installed"
)


@pytest.fixture
def photos(tmp_path):
    """Make an empty folder of photos."""
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def reviewed(photos, name, caption="a dog runs", status=ReviewStatus.APPROVED, **changes):
    """Draw a photo and give its row, with a review where there is a caption."""
    path = photos / os.fsdecode(name)
    if not path.exists():
        draw(path, seed=len(list(photos.rglob("*"))))
    stat = path.stat()
    review = Review("en", status, caption, "Kim", at="2026-11-28T10:00:00Z")
    known = {
        "photo_id": sha256(path.read_bytes()).hexdigest(),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "language": "en",
        "reviews": () if status is ReviewStatus.UNREVIEWED else (review,),
    }
    return record(os.fsencode(name), **known | changes)


def export(photos, *rows, **options):
    """Export the sidecars of rows."""
    return export_sidecars(Captioned("", str(photos), rows), **options)


def said(path):
    """Tell what a sidecar says by default."""
    return read_xmp(path.read_bytes()).captions["x-default"]


def sidecars(folder):
    """Name the sidecars in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.xmp"))


def why(done):
    """Tell what was noted of which photo."""
    return dict(done.notes)


@pytest.mark.parametrize(
    ("naming", "expected"), [(Naming.WITH_ENDING, "x/a.jpg.xmp"), (ADOBE, "x/a.xmp")]
)
def test_a_reviewed_photo_gets_a_sidecar_beside_it(photos, naming, expected):
    row = reviewed(photos, "x/a.jpg")
    done = export(photos, row, naming=naming)
    assert sidecars(photos) == [expected]
    assert said(photos / expected) == "a dog runs"
    assert (done.written, done.exit_code) == (1, 0)
    assert str(done) == "1 photo, 1 sidecar written"


def test_the_photos_stay_as_they_are(photos):
    rows = [reviewed(photos, name) for name in ("a.jpg", "x/b.png")]
    before = {path: state for path, state in state_of(photos).items() if "." in path[-5:]}
    export(photos, *rows)
    after = state_of(photos)
    assert before == {path: after[path] for path in before}
    assert len(before) == 2


def test_only_what_people_approved_or_wrote_leaves(photos):
    rows = [
        reviewed(photos, "approved.jpg"),
        reviewed(photos, "edited.jpg", "my dog", ReviewStatus.EDITED),
        reviewed(photos, "rejected.jpg", "no dog", ReviewStatus.REJECTED),
        reviewed(photos, "nobody.jpg", status=ReviewStatus.UNREVIEWED),
    ]
    done = export(photos, *rows)
    assert sidecars(photos) == ["approved.jpg.xmp", "edited.jpg.xmp"]
    assert (done.written, done.without.total(), done.exit_code) == (2, 2, 0)


def test_a_machines_captions_leave_where_they_are_asked_for_but_for_rejected_ones(photos):
    rejected = reviewed(photos, "rejected.jpg", None, ReviewStatus.REJECTED)
    nobody = reviewed(photos, "nobody.jpg", status=ReviewStatus.UNREVIEWED)
    export(photos, rejected, nobody, include_machine=True)
    assert sidecars(photos) == ["nobody.jpg.xmp"]
    found = read_xmp((photos / "nobody.jpg.xmp").read_bytes())
    assert found.captions["en"] == "a dog runs on the beach"
    assert found.writer == "flickr8k@12ab (machine)"
    [mark] = found.marks
    assert (mark.status, mark.captioner, mark.confidence) == ("machine", "flickr8k@12ab", "0.750")


def test_what_was_filled_in_leaves_as_a_person_s(photos):
    filled = Review("en", ReviewStatus.APPROVED, "a dog runs", "Kim", like="b.jpg")
    export(photos, reviewed(photos, "a.jpg", reviews=(filled,)))
    found = read_xmp((photos / "a.jpg.xmp").read_bytes())
    assert (found.writer, found.marks[0].status) == ("Kim", "approved")


def test_each_language_leaves_by_its_own_review(photos):
    both = reviewed(
        photos,
        "a.jpg",
        languages=(LanguageCaption("ko", "개", 0.5, "flickr8k-ko@1"),),
        reviews=(
            Review("en", ReviewStatus.REJECTED, None),
            Review("ko", ReviewStatus.APPROVED, "개", "이"),
        ),
    )
    export(photos, both)
    found = read_xmp((photos / "a.jpg.xmp").read_bytes())
    assert found.captions == {"x-default": "개", "ko": "개"}
    assert (found.writer, found.marks[0].captioner) == ("이", "flickr8k-ko@1")


def test_a_second_export_touches_nothing(photos):
    (photos / "b.jpg.xmp").write_text(DARKTABLE, encoding="utf-8")
    rows = [reviewed(photos, name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    for options in ({}, {"naming": ADOBE}):
        export(photos, *rows, **options)
        before = state_of(photos)
        done = export(photos, *rows, **options)
        assert state_of(photos) == before
        assert done.written == 0
        assert done.unchanged >= 3


def test_a_sidecar_that_is_there_keeps_all_else_and_its_permissions(photos):
    sidecar = photos / "a.jpg.xmp"
    sidecar.write_text(DARKTABLE, encoding="utf-8")
    sidecar.chmod(0o640)
    export(photos, reviewed(photos, "a.jpg"))
    assert parts_of(sidecar.read_bytes()) == parts_of(DARKTABLE.encode())
    assert said(sidecar) == "a dog runs"
    assert sidecar.stat().st_mode & 0o777 == 0o640


def test_a_caption_by_others_is_kept_and_told(photos):
    (photos / "a.jpg.xmp").write_text(LIGHTROOM, encoding="utf-8")
    row = reviewed(photos, "a.jpg")
    done = export(photos, row)
    assert said(photos / "a.jpg.xmp") == "Oma im Garten"
    assert why(done) == {"a.jpg": "kept another's caption (x-default)"}
    assert (done.kept_words, done.exit_code) == (1, 3)
    done = export(photos, row, replaces=True)
    assert said(photos / "a.jpg.xmp") == "a dog runs"
    assert done.exit_code == 0


def test_an_approval_that_was_taken_back_takes_its_words_back(photos):
    row = reviewed(photos, "a.jpg")
    (photos / "b.jpg.xmp").write_text(DARKTABLE, encoding="utf-8")
    other = reviewed(photos, "b.jpg")
    export(photos, row, other)
    done = export(photos, *(replace(each, reviews=()) for each in (row, other)))
    assert sidecars(photos) == ["b.jpg.xmp"]
    assert read_xmp((photos / "b.jpg.xmp").read_bytes()).captions == {}
    assert parts_of((photos / "b.jpg.xmp").read_bytes()) == parts_of(DARKTABLE.encode())
    assert (done.taken_back, done.written) == (2, 0)


@pytest.mark.parametrize("naming", Naming)
def test_words_are_taken_back_from_sidecars_of_either_name(photos, naming):
    row = reviewed(photos, "a.jpg")
    export(photos, row, naming=naming)
    export(photos, replace(row, reviews=()))
    assert sidecars(photos) == []


def test_machine_captions_are_taken_back_by_an_export_without_them(photos):
    row = reviewed(photos, "a.jpg", status=ReviewStatus.UNREVIEWED)
    export(photos, row, include_machine=True)
    assert sidecars(photos) == ["a.jpg.xmp"]
    export(photos, row)
    assert sidecars(photos) == []


def test_sidecars_of_others_are_no_business_of_photos_without_a_review(photos):
    (photos / "a.jpg.xmp").write_text(LIGHTROOM, encoding="utf-8")
    (photos / "b.jpg.xmp").write_bytes(b"no XML")
    rows = [reviewed(photos, n, status=ReviewStatus.UNREVIEWED) for n in ("a.jpg", "b.jpg")]
    before = state_of(photos)
    assert export(photos, *rows).exit_code == 0
    assert state_of(photos) == before


def test_a_changed_review_reaches_the_sidecars_of_both_names(photos):
    row = reviewed(photos, "a.jpg")
    export(photos, row)
    export(photos, row, naming=ADOBE)
    export(photos, reviewed(photos, "a.jpg", "two dogs", ReviewStatus.EDITED))
    assert [said(photos / name) for name in ("a.jpg.xmp", "a.xmp")] == ["two dogs", "two dogs"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("a.jpg", "a.png"), ("a.JPG", "a.jpg"), ("a.jpg", "A.png"), ("바다.jpg", "바다.png")],
)
def test_photos_that_share_a_stem_never_share_a_sidecar(photos, one, other):
    rows = [reviewed(photos, one, "one"), reviewed(photos, other, "other")]
    done = export(photos, *rows, naming=ADOBE)
    assert sidecars(photos) == sorted([f"{one}.xmp", f"{other}.xmp"])
    assert said(photos / f"{one}.xmp") == "one"
    assert said(photos / f"{other}.xmp") == "other"
    assert (done.other_name, len(done.notes)) == (2, 2)


@pytest.mark.parametrize("neighbour", ["a.CR2", "a.nef", "A.DNG", "a.MOV"])
def test_a_raw_file_or_a_video_keeps_its_sidecar(photos, neighbour):
    (photos / neighbour).write_bytes(b"raw")
    (photos / "a.xmp").write_text(LIGHTROOM, encoding="utf-8")
    export(photos, reviewed(photos, "a.jpg"), naming=ADOBE)
    assert sidecars(photos) == ["a.jpg.xmp", "a.xmp"]
    assert (photos / "a.xmp").read_text(encoding="utf-8") == LIGHTROOM


def test_a_sidecar_that_says_it_is_a_raw_files_is_left_though_that_is_elsewhere(photos):
    (photos / "a.xmp").write_text(LIGHTROOM, encoding="utf-8")
    done = export(photos, reviewed(photos, "a.jpg"), naming=ADOBE)
    assert (photos / "a.xmp").read_text(encoding="utf-8") == LIGHTROOM
    assert said(photos / "a.jpg.xmp") == "a dog runs"
    assert "a.xmp may be another's" in why(done)["a.jpg"]


def test_a_name_that_is_both_a_stem_and_a_whole_name_goes_to_the_whole_name(photos):
    rows = [reviewed(photos, name, name) for name in ("a.jpg", "a.jpg.png", "a.png")]
    export(photos, *rows, naming=ADOBE)
    assert {name: said(photos / name) for name in sidecars(photos)} == {
        "a.jpg.xmp": "a.jpg",
        "a.jpg.png.xmp": "a.jpg.png",
        "a.png.xmp": "a.png",
    }


def test_a_photo_that_has_changed_since_gets_no_caption(photos):
    row = reviewed(photos, "a.jpg")
    draw(photos / "a.jpg", seed=99)
    os.utime(photos / "a.jpg", ns=(0, row.mtime_ns + 1))
    done = export(photos, row)
    assert sidecars(photos) == []
    assert done.exit_code == 3
    assert "caption it again" in why(done)["a.jpg"]


def test_a_photo_that_was_only_touched_gets_its_caption(photos):
    row = reviewed(photos, "a.jpg")
    os.utime(photos / "a.jpg", ns=(0, 1))
    assert export(photos, row).written == 1


def test_what_is_not_there_or_not_on_this_disk_is_told(photos, tmp_path):
    draw(tmp_path / "secret.jpg")
    here = reviewed(photos, "here.jpg")
    rows = [
        replace(here, path="gone.jpg", raw_path=b"gone.jpg", status=Status.MISSING),
        replace(here, path="web", raw_path=b"https://example.org/a.jpg"),
        replace(here, path="up", raw_path=b"../secret.jpg"),
        replace(here, path="root", raw_path=os.fsencode(tmp_path / "secret.jpg")),
        here,
    ]
    done = export(photos, *rows)
    assert sidecars(tmp_path) == ["photos/here.jpg.xmp"]
    assert why(done) == {
        "web": "on the web",
        "up": "no path within the archive",
        "root": "no path within the archive",
    }


def test_links_lead_nowhere(photos, tmp_path):
    (tmp_path / "outside").mkdir()
    (photos / "link").symlink_to(tmp_path / "outside")
    linked = reviewed(photos, "link/a.jpg")
    (tmp_path / "victim").write_text(LIGHTROOM, encoding="utf-8")
    row = reviewed(photos, "b.jpg")
    (photos / "b.jpg.xmp").symlink_to(tmp_path / "victim")
    done = export(photos, linked, row, replaces=True)
    assert (tmp_path / "victim").read_text(encoding="utf-8") == LIGHTROOM
    assert names(tmp_path / "outside") == ["a.jpg"]
    assert "outside the archive" in why(done)["link/a.jpg"]
    assert "is a link" in why(done)["b.jpg"]


def test_a_broken_sidecar_is_left_as_it_is(photos):
    broken = LIGHTROOM[:700]
    (photos / "a.jpg.xmp").write_text(broken, encoding="utf-8")
    (photos / "c.jpg.xmp").mkdir()
    rows = [reviewed(photos, name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    done = export(photos, *rows)
    assert (photos / "a.jpg.xmp").read_text(encoding="utf-8") == broken
    assert "its sidecar cannot be read" in why(done)["a.jpg"]
    assert "c.jpg" in why(done)
    assert (done.written, done.exit_code) == (1, 3)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_told(photos):
    rows = [reviewed(photos, "x/a.jpg"), reviewed(photos, "b.jpg")]
    (photos / "x").chmod(0o500)
    try:
        done = export(photos, *rows)
    finally:
        (photos / "x").chmod(0o700)
    assert sidecars(photos) == ["b.jpg.xmp"]
    assert why(done) == {"x/a.jpg": "its folder cannot be written to"}


@pytest.mark.parametrize("code", ["EROFS", "EACCES", "ENOSPC", "EIO"])
def test_a_disk_that_fails_leaves_the_old_sidecar(photos, monkeypatch, code):
    row = reviewed(photos, "a.jpg")
    export(photos, row)
    before = (photos / "a.jpg.xmp").read_bytes()

    def fail(handle):
        number = getattr(errno, code)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "sync", fail)
    done = export(photos, reviewed(photos, "a.jpg", "two dogs"))
    assert (photos / "a.jpg.xmp").read_bytes() == before
    assert names(photos) == ["a.jpg", "a.jpg.xmp"]
    assert (done.written, done.exit_code, list(why(done))) == (0, 3, ["a.jpg"])


@pytest.mark.fault
def test_a_file_size_limit_leaves_the_old_sidecar(photos):
    (photos / "a.jpg.xmp").write_text(DARKTABLE, encoding="utf-8")
    reviewed(photos, "a.jpg")
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tests.batch.test_sidecars import export, reviewed\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (800, 800))\n"
        "photos = Path(sys.argv[1]); print(export(photos, reviewed(photos, 'a.jpg')).notes)"
    )
    command = [sys.executable, "-c", code, str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert (photos / "a.jpg.xmp").read_text(encoding="utf-8") == DARKTABLE


def test_a_program_that_writes_at_the_same_time_keeps_its_words(photos, monkeypatch):
    sidecar = photos / "a.jpg.xmp"
    sidecar.write_text(DARKTABLE, encoding="utf-8")
    merge = sidecar_files.check_untouched

    def late(path, before):
        sidecar.write_text(LIGHTROOM, encoding="utf-8")
        merge(path, before)

    monkeypatch.setattr(sidecar_files, "check_untouched", late)
    done = export(photos, reviewed(photos, "a.jpg"))
    assert sidecar.read_text(encoding="utf-8") == LIGHTROOM
    assert "run again" in why(done)["a.jpg"]


def test_names_of_255_bytes_are_told_and_the_others_go_on(photos):
    long = "가" * 83 + "ab.jpg"
    rows = [reviewed(photos, long), reviewed(photos, "b.jpg")]
    done = export(photos, *rows)
    assert sidecars(photos) == ["b.jpg.xmp"]
    assert "too long" in why(done)[long]


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize(
    "name",
    [
        b"caf\xe9.jpg",
        b"a\nb.jpg",
        "바다.jpg".encode(),
        "\u1107\u1161\u1103\u1161.jpg".encode(),
        "🐕.jpg".encode(),
        b"=1+1.jpg",
        b"<script>'\".jpg",
        b"-o.jpg",
        b"photo.2019.jpg",
        b".. .jpg",
    ],
)
def test_any_name_gets_its_sidecar(photos, name, naming):
    row = reviewed(photos, name)
    assert export(photos, row, naming=naming).written == 1
    stem = name if naming is Naming.WITH_ENDING else name.removesuffix(b".jpg")
    assert names(photos) == sorted(map(os.fsdecode, [name, stem + b".xmp"]))


def test_a_tree_elsewhere_takes_the_sidecars_and_the_archive_stays_as_it_is(photos, tmp_path):
    rows = [reviewed(photos, "a.jpg"), reviewed(photos, "x/y/b.jpg")]
    before = state_of(photos)
    assert export(photos, *rows, to=str(tmp_path / "tree")).written == 2
    assert sidecars(tmp_path / "tree") == ["a.jpg.xmp", "x/y/b.jpg.xmp"]
    assert state_of(photos) == before
    assert export(photos, *rows, to=str(tmp_path / "tree")).unchanged == 2


def test_a_tree_among_the_photos_is_refused(photos):
    with pytest.raises(ArchiveError, match="TO"):
        export(photos, reviewed(photos, "a.jpg"), to=str(photos / "x"))


def test_a_link_in_the_tree_leads_nowhere(photos, tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree" / "x").symlink_to(tmp_path / "outside")
    done = export(photos, reviewed(photos, "x/a.jpg"), to=str(tmp_path / "tree"))
    assert names(tmp_path / "outside") == []
    assert "a link leads out" in why(done)["x/a.jpg"]


def test_on_a_disk_that_takes_two_names_for_one_the_first_photo_keeps_it(photos, tmp_path):
    rows = [reviewed(photos, "A.jpg", "one"), reviewed(photos, "b.jpg", "other")]
    tree = tmp_path / "tree"
    export(photos, rows[0], to=str(tree))
    os.link(tree / "A.jpg.xmp", tree / "b.jpg.xmp")  # as a disk that ignores case would have it
    done = export(photos, *rows, to=str(tree))
    assert said(tree / "A.jpg.xmp") == "one"
    assert "another photo's on this disk" in why(done)["b.jpg"]


def test_a_photo_in_a_zip_is_told(photos):
    with zipfile.ZipFile(photos / "a.zip", "w") as archive:
        archive.writestr("b.jpg", b"photo")
    row = replace(reviewed(photos, "c.jpg"), path="a.zip/b.jpg", raw_path=b"a.zip/b.jpg")
    assert "in a zip file" in why(export(photos, row))["a.zip/b.jpg"]


@needs_exiftool
def test_exiftool_reads_the_fields_that_were_meant(photos):
    both = reviewed(photos, "a.jpg", 'a dog & "cat" <b>\nsecond')
    both = replace(both, reviews=(*both.reviews, Review("ko", ReviewStatus.EDITED, "개 🐕", "이")))
    (photos / "a.jpg.xmp").write_text(DIGIKAM_LIKE, encoding="utf-8")
    export(photos, both)
    [found] = read_by_exiftool(photos / "a.jpg.xmp")
    for name in ("XMP-dc:Description", "XMP-iptcCore:AltTextAccessibility"):
        assert found[name] == found[f"{name}-en"] == 'a dog & "cat" <b>\nsecond'
        assert found[f"{name}-ko"] == "개 🐕"
    assert found["XMP-photoshop:CaptionWriter"] == "Kim"
    assert found["XMP-xmp:Rating"] == 4
    english, korean = found["XMP-photocaptions:Captions"]
    assert (english["Status"], english["Reviewer"], korean["Status"]) == (
        "approved",
        "Kim",
        "edited",
    )


DIGIKAM_LIKE = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>"""


def read_by_exiftool(*paths):
    """Give what exiftool reads in files."""
    command = ["exiftool", "-j", "-G1", "-struct", "-charset", "filename=utf8", *map(str, paths)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.sampled_from(["approve", "edit", "reject", "undo", "export", "adobe", "machine"]),
        max_size=12,
    )
)
def test_after_any_sequence_the_sidecar_says_what_the_review_says(tmp_path_factory, steps):
    photos = tmp_path_factory.mktemp("photos")
    (photos / "a.jpg.xmp").write_text(DARKTABLE, encoding="utf-8")
    row = reviewed(photos, "a.jpg", status=ReviewStatus.UNREVIEWED)
    changes = {
        "approve": (Review("en", ReviewStatus.APPROVED, row.caption, "Kim"),),
        "edit": (Review("en", ReviewStatus.EDITED, "my own words", "Kim"),),
        "reject": (Review("en", ReviewStatus.REJECTED, None),),
        "undo": (),
    }
    for step in [*steps, "export"]:
        if step in changes:
            row = replace(row, reviews=changes[step])
            continue
        naming = ADOBE if step == "adobe" else Naming.WITH_ENDING
        export(photos, row, naming=naming, include_machine=step == "machine")
    expected = {row.review.caption} if row.review.stands else set()
    for sidecar in photos.glob("*.xmp"):
        found = read_xmp(sidecar.read_bytes())
        assert set(found.captions.values()) == set(found.alt_text.values()) == expected
    assert parts_of((photos / "a.jpg.xmp").read_bytes()) == parts_of(DARKTABLE.encode())

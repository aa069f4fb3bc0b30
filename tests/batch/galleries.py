"""Galleries over drawn photos, and a real browser to open them in."""

import csv
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from batch.captioned import Captioned
from batch.gallery import write_gallery
from manifests.record import Record
from manifests.review import ReviewStatus, SheetRow
from manifests.text import unescape_cell
from tests.batch.archives import photo
from tests.manifests.examples import record

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SWITCHES = [  # no greeting, no update, nothing that looks for a network
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1400,1000",
]


def row_of(found: Record, **changes: Any) -> SheetRow:
    """Give the review sheet's row of a record that nobody has reviewed."""
    caption = found.caption or ""
    fields = {
        "path": found.path,
        "photo_id": found.photo_id or "",
        "language": found.language or "en",
        "caption": caption,
        "machine": caption,
        "suggestion": "",
        "alternatives": found.alternatives,
        "confidence": found.confidence,
        "review_status": ReviewStatus.UNREVIEWED,
        "reviewer": "",
        "notes": "",
        "status": str(found.status),
        "group": "",
    }
    return SheetRow(**{**fields, **changes})


class Galleried:
    """A folder of photos, the records and rows of a run over it, and its gallery."""

    def __init__(self, folder: Path) -> None:
        self.root, self.out = folder / "photos", folder / "out"
        self.root.mkdir(parents=True)
        self.out.mkdir()
        self.records: list[Record] = []
        self.rows: list[SheetRow] = []

    def add(
        self, name: bytes | str, caption: str | None, sure: float | None, **changes: Any
    ) -> str:
        """Draw a photo and give it a record and a row; return its photo_id."""
        raw = name.encode() if isinstance(name, str) else name
        path = Path(self.root, *map(_decoded, raw.split(b"/")))
        path.parent.mkdir(parents=True, exist_ok=True)
        data = changes.pop("data", None) or photo(len(self.records))
        path.write_bytes(data)
        of_row = {key: changes.pop(key) for key in [*changes] if key in SheetRow.__slots__}
        of_record = {"language": "en", "photo_id": sha256(data).hexdigest()} | changes
        of_record |= {key: of_row[key] for key in ("language", "status") if key in of_row}
        found = record(raw, caption=caption, confidence=sure, **of_record)
        self.records.append(found)
        self.rows.append(row_of(found, **of_row))
        return str(found.photo_id)

    @property
    def captioned(self) -> Captioned:
        """The run's folder as it is read."""
        return Captioned(str(self.out), str(self.root), self.records)

    def write(self, **options: Any) -> Path:
        """Write the gallery."""
        return write_gallery(self.captioned, self.rows, **options)


def _decoded(part: bytes) -> str:
    return part.decode("utf-8", "surrogateescape")


@contextmanager
def chromium(folder: Path) -> Iterator["Page"]:
    """Open a browser whose profile and downloads are in a folder; skip where there is none."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium and its driver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in [*SWITCHES, f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield Page(driver, folder / "downloads")
    finally:
        driver.quit()


class Page:
    """A gallery in the browser, used as a person would."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads
        downloads.mkdir()
        where = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)

    def open(self, page: Path) -> None:
        """Open a gallery from disk and wait for all its rows."""
        self.driver.get(page.as_uri())
        self.wait("return document.body.dataset.loaded")

    def reload(self) -> None:
        """Load the page again."""
        self.driver.refresh()
        self.wait("return document.body.dataset.loaded")

    @contextmanager
    def second_window(self) -> Iterator[None]:
        """Use the same gallery in a second window, then come back."""
        first, address = self.driver.current_window_handle, self.driver.current_url
        self.driver.switch_to.new_window("window")
        try:
            self.driver.get(address)
            self.wait("return document.body.dataset.loaded")
            yield
        finally:
            self.driver.close()
            self.driver.switch_to.window(first)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> Any:
        """Wait until a script gives something."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := self.run(script, *arguments):
                return found
            time.sleep(0.02)
        raise AssertionError(f"still not so: {script}")

    def keys(self, *keys: str) -> None:
        """Press keys where the focus is, one after another, each when the page has settled."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)
            self.settle()

    def settle(self) -> None:
        """Wait for what was begun, the pause after typing in the search field included."""
        self.driver.execute_async_script("setTimeout(arguments[0], 150)")

    def type(self, text: str) -> None:
        """Put a text in the place of that of the field with the focus."""
        field = self.driver.switch_to.active_element
        field.clear()
        field.send_keys(text)
        self.settle()

    def choose(self, name: str, value: str) -> None:
        """Set a filter."""
        self.run(
            "const it = document.getElementById(arguments[0]); it.value = arguments[1];"
            "const event = it.type === 'search' ? 'input' : 'change';"
            "it.dispatchEvent(new Event(event, {bubbles: true}))",
            name,
            value,
        )
        self.settle()

    def click(self, selector: str) -> None:
        """Click on the first thing that fits."""
        element = self.driver.find_element("css selector", selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.settle()

    def press(self, **event: Any) -> None:
        """Press a key that the driver cannot: a KeyboardEvent as it is given."""
        self.run(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            "{bubbles: true, cancelable: true, ...arguments[0]}))",
            event,
        )
        self.settle()

    def outcome(self, script: str) -> str:
        """Run a script; name the error that it ends with, or give what it returns."""
        return self.run(f"try {{ {script} }} catch (error) {{ return error.name }}")

    def texts(self, selector: str) -> list[str]:
        """Give what stands in all that fit and are shown."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter((it) => it.checkVisibility()).map((it) => it.textContent.toWellFormed())",
            selector,
        )

    @property
    def captions(self) -> list[str]:
        """The captions on the page, in their order."""
        return self.texts(".caption")

    @property
    def reviews(self) -> list[str]:
        """What is decided of the photos on the page, in their order."""
        return self.run(
            "return [...document.querySelectorAll('.card')].map((card) => card.dataset.review)"
        )

    def focus(self, place: int) -> None:
        """Put the focus on a photo, by its place."""
        self.run("document.querySelector(`.card[data-place='${arguments[0]}']`).focus()", place)

    def save(self) -> Path:
        """Save the corrections; return the file."""
        for old in self.downloads.iterdir():
            old.unlink()
        self.click("#export")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if found := [*self.downloads.glob("*.csv")]:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("no file was saved")

    def requests(self) -> list[str]:
        """Give the addresses that the browser asked for since the last time."""
        events = (
            json.loads(line["message"])["message"] for line in self.driver.get_log("performance")
        )
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Give what the browser complained of: errors, and what the policy refused."""
        lines = self.driver.get_log("browser")
        return [line["message"] for line in lines if line["source"] != "rendering"]


def corrections(path: Path) -> list[dict[str, str]]:
    """Read a file of corrections as Python's csv does, its texts unescaped."""
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, strict=True))
    return [{key: unescape_cell(value) for key, value in row.items()} for row in rows]

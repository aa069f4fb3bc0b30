"""People who review: they take a sheet, write into it, and bring it back in their own ways."""

import csv
from pathlib import Path

from batch.captioned import open_captioned
from batch.merge_report import MergeReport
from batch.merge_review import merge_review
from batch.review import sheet_rows
from manifests.spreadsheet import write_review_csv
from tests.batch.archives import Archive


class Sheet:
    """A sheet as it went out, to be written into."""

    def __init__(self, archive: Archive, name: str = "review.csv", **asked: str) -> None:
        self.archive = archive
        self.path = archive.out.parent / name
        found = open_captioned(str(archive.out))
        self.rows = sheet_rows(found, **asked)
        write_review_csv(self.path, self.rows)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            self.columns = list(reader.fieldnames or ())
            self.cells = list(reader)

    def write(self, path: str, /, **cells: str) -> "Sheet":
        """Write into the row of a photo."""
        (row,) = [row for row in self.cells if row["path"] == path]
        row.update(cells)
        return self

    def drop(self, *columns: str) -> "Sheet":
        """Leave columns out."""
        self.columns = [column for column in self.columns if column not in columns]
        return self

    def save(self, name: str | None = None, encoding: str = "utf-8-sig", **how: str) -> Path:
        """Save it, under another name or in another encoding or with another delimiter."""
        path = self.path.with_name(name or self.path.name)
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore", **how)
            writer.writeheader()
            writer.writerows(self.cells)
        return path

    def bring_back(
        self, name: str | None = None, *, dry_run: bool = False, **how: str
    ) -> MergeReport:
        """Save it and merge it."""
        file = self.save(name, **how)
        return merge_review(str(self.archive.out), str(file), dry_run=dry_run)

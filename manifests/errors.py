"""What can be wrong with a manifest."""

from pathlib import Path


class ManifestError(Exception):
    """A manifest that can't be used: which file, what is wrong with it, and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.remedy}."


class NewerError(ManifestError):
    """A file that a newer version of this program has written: whole, but not to be read here."""

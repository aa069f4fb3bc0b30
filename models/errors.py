"""What can be wrong with a captioner's files, or with what is installed beside it."""


class CheckpointError(Exception):
    """A file of a captioner that is missing, broken, or made for another model."""


class MissingExtraError(Exception):
    """An optional package that is asked for and not installed."""

    def __init__(self, what: str, package: str, remedy: str) -> None:
        super().__init__(f"{what}: the package {package} is not installed; run {remedy}")

"""What can be wrong with a captioner's files, or with what is installed beside it."""


class CheckpointError(Exception):
    """A file of a captioner that is missing, broken, or made for another model."""


class MissingExtraError(Exception):
    """An optional package that is asked for and not installed."""

    def __init__(self, what: str, package: str, remedy: str) -> None:
        super().__init__(what, package, remedy)  # as they came, so that it can be pickled

    def __str__(self) -> str:
        """Say what to do."""
        what, package, remedy = self.args
        return f"{what}: the package {package} is not installed; run {remedy}"

"""What can be wrong with a captioner's files."""


class CheckpointError(Exception):
    """A file of a captioner that is missing, broken, or made for another model."""

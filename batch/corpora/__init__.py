"""Caption corpora, one file a format, all read into one dataclass."""

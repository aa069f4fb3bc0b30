"""Caption photos as `make caption` does, in one process that is warmed up, to compare with others.

python -m benchmarks.our_way FOLDER [--captioner FOLDER]
"""

import argparse
import os
import tempfile
import time
from itertools import islice
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from batch.caption import Stage
from batch.config import CAPTIONER, captioner_folder
from batch.features import FeatureCache
from batch.scan import scan
from manifests.manifest import write_records


def main() -> None:
    """Caption a folder's photos and print the rate, once the first one has warmed it up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--captioner", default=CAPTIONER)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        stage = Stage.load([captioner_folder(options.captioner)], f"{work}/warm", {})
        list(stage.caption_shards(islice(scan(options.folder), 1), {}))
        cold = Stage(FeatureCache(f"{work}/cold"), stage.encode, stage.captioners)
        start = time.monotonic()
        shards = list(cold.caption_shards(scan(options.folder), {}))
        records = [record for shard in shards for record in shard.records]
        write_records(Path(work, "captions.parquet"), records, options.folder)
        print(f"{len(records) / (time.monotonic() - start):.2f}")


if __name__ == "__main__":
    main()

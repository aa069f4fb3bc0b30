"""A server of S3 on this machine for the tests, with a bucket of its own for each."""

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KEYS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",  # of a server that is gone: so that tests need not wait
}


class Server:
    """A server that can be ended and begun again; what was in it is kept."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.port = 0
        self.begin()

    def begin(self) -> None:
        """Answer from now on, at the same address."""
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()
        _, self.port = self.server.get_host_and_port()

    def end(self) -> None:
        """Be gone."""
        self.server.stop()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served() -> Iterator[Server]:
    """Run a server; skip where there is none to run."""
    pytest.importorskip("moto.server", reason="moto is not installed: make test installs it")
    pytest.importorskip("s3fs", reason="s3fs is not installed: make storage installs it")
    server = Server()
    try:
        yield server
    finally:
        server.end()


class Bucket:
    """A bucket, seen past the program under test."""

    def __init__(self, server: Server) -> None:
        import boto3

        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client = boto3.client("s3", endpoint_url=server.address)
        self.client.create_bucket(Bucket=self.name)
        self.url = f"s3://{self.name}"

    def put(self, key: str, data: bytes) -> None:
        """Put an object there."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def read(self, key: str) -> bytes:
        """Read an object."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str = "") -> list[str]:
        """Name the objects below a prefix, without it."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [each["Key"].removeprefix(prefix) for each in found]

    def put_all(self, folder: Path, prefix: str) -> None:
        """Put the files of a folder there."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(f"{prefix}/{os.path.relpath(path, folder)}", path.read_bytes())

"""Tests of `manifests`, file by file."""

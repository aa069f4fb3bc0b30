"""Rows and durable files: the record of a photo, and the manifest that holds all of them."""

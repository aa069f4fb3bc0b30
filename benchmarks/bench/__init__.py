"""Ways to caption photos, side by side: `make bench`."""

"""Drive captioning: the only package that touches photos, processes and the clock."""

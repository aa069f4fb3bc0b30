"""Pictures that are not scenes, drawn by code: what a captioner learns to pass over."""

"""A run on disk: where its files lie, and what has been done."""

"""Every stage of a run as a value, one subject per file."""

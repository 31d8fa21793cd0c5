"""The options of the networks, one dataclass for each."""

"""The marker-controlled watershed: seeds, surface and mask of the channels, and the flooding."""

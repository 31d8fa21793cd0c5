"""BioImage.IO packages: a network with its description, read and written."""

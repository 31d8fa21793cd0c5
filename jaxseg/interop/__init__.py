"""Networks, settings and packages of other software, in and out."""

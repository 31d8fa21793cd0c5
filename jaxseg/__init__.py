"""jaxseg."""

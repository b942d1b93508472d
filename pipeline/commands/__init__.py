"""Groups of commands beside those of `cli.py`."""

"""`python -m pipeline` is the command `lomsong`."""

from pipeline.cli import main

main()

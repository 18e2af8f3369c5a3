"""`python -m clarion`."""

from clarion.cli import main

main()

"""`python -m looptool_kit.cli`."""

from looptool_kit.cli import main

main()

"""``python -m kascribe`` is ``kascribe``."""

from kascribe.cli import main

main()

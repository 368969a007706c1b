"""``python -m kascribe.documents [--check]``: write the generated documents, or report how they differ."""

import sys

from kascribe.documents.generation import main

if __name__ == "__main__":
    sys.exit(main())

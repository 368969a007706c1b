"""Standard input as a file: decoders seek, and its bytes identify a submission before they are uploaded."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kascribe.sources.arguments import Source
from schemas.errors import ConfigurationError

UNNAMED: Final = "stdin"


@contextmanager
def standard_input(name: str | None) -> Iterator[Callable[[], Source]]:
    """Yield a function that reads standard input to its end, into a file that lasts as long as the context.

    It blocks, and raises ConfigurationError when standard input is a terminal.
    """
    with TemporaryDirectory(prefix="kascribe-stdin-") as directory:

        def read() -> Source:
            if sys.stdin is None or sys.stdin.isatty():
                raise ConfigurationError("- is standard input, which is a terminal: pipe a file to this command")
            path = Path(directory, "audio")
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            return Source(str(path), name or UNNAMED, file_name=name or UNNAMED, is_piped=True)

        yield read

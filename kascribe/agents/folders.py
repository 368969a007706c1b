"""The folders of which an agent may upload files: those that the user named, and no others.

A model acts on what it reads, and what it reads may have been said by anyone. So it cannot send any file of this
machine to the gateway.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcp.server.mcpserver.exceptions import ToolError


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders, with symbolic links resolved."""

    paths: Sequence[Path]

    def open(self, name: str) -> BinaryIO:
        """Open a file in one of the folders. Raises ToolError for any other, and for one that cannot be read."""
        path = Path(name).expanduser()
        if not self.paths:
            raise ToolError(
                "this MCP server may upload no files: its user adds `--folder DIRECTORY` to the arguments of "
                "`kascribe mcp`. Without it, the s3:// address of an object works, or `kascribe submit FILE`"
            )
        if not path.is_absolute():
            raise ToolError(f"{name} is no absolute path: name the file from / on")
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ToolError(self._refusal(name)) from error
        if not any(real.is_relative_to(folder) and not _is_hidden(real, folder) for folder in self.paths):
            raise ToolError(self._refusal(name))
        try:
            # The path has no links left: one that is put there now is not followed.
            descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise ToolError(f"{name} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ToolError(f"{name} is not a file")
        return os.fdopen(descriptor, "rb")

    def _refusal(self, name: str) -> str:
        # The same words for a file elsewhere and for none: what exists elsewhere is nothing to learn here.
        return f"there is no file {name} in the folders of this MCP server: {', '.join(map(str, self.paths))}"


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)

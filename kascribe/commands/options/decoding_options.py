"""Options of decoding on the command line, made from their fields: one list for all commands that take them."""

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final

import typer

from schemas.options import DECODING_DEFAULTS, TranscribeOptions

PANEL: Final = "Decoding, as in faster-whisper"
PARAMETER: Final = "decoding"
"""The parameter of a command that receives the options that were given, as text by their names."""
_NAMES: Final = ("vad", *DECODING_DEFAULTS)
_HIDDEN: Final = frozenset({"temperature"})
"""Taken, since other programs pass it, but with one possible value."""
_DEFAULT: Final = re.compile(r"; None: .*?\.(?= |$)")


def decoding_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each option of decoding; it receives them as its parameter ``decoding``."""
    signature = inspect.signature(command)
    kept = [each for name, each in signature.parameters.items() if name != PARAMETER]

    @wraps(command)
    def run(**given: Any) -> None:
        decoding = {name: given.pop(name) for name in _NAMES}
        command(**given, **{PARAMETER: {name: text for name, text in decoding.items() if text is not None}})

    added = [_parameter(name) for name in _NAMES]
    run.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    return run


def _parameter(name: str) -> inspect.Parameter:
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=_help(name),
        rich_help_panel=PANEL,
        hidden=name in _HIDDEN,
    )
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[str | None, option])


def _help(name: str) -> str:
    """Return the field's meaning with its default."""
    field = TranscribeOptions.model_fields[name]
    default = DECODING_DEFAULTS.get(name, field.default)
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    shown = str(default).lower() if isinstance(default, bool | float | int | str) and default != "" else ""
    meaning = _DEFAULT.sub(".", field.description or "")
    return f"{meaning} Default: {shown}." if shown else meaning

"""``.env.example``: every setting with its default, commented out. Pure."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from schemas.settings import catalogue
from schemas.settings.catalogue import Setting

WIDTH: Final = 115

_INTRODUCTION: Final = """\
# Settings of Kascribe and their defaults. Copy this file to .env in the directory in which Kascribe runs, or to
# /etc/kascribe/kascribe.env for the units in deploy/systemd, and remove the # before a line to change its value.
# docs/settings.md describes them, and the names of other programs that are read as well: AWS_ENDPOINT_URL_S3,
# AWS_REGION, WHISPER_DEVICE, MODEL_NAME, HF_HUB_OFFLINE, OTEL_EXPORTER_OTLP_ENDPOINT.

# Credentials of the object store, and the token for pulling models:
#AWS_ACCESS_KEY_ID=
#AWS_SECRET_ACCESS_KEY=
#HF_TOKEN=
"""


def environment_file() -> str:
    """Return the text of the file. Lines without their ``#`` are the defaults, or empty where there is none."""
    sections = catalogue.section_meanings()
    return _INTRODUCTION + "".join(
        "\n".join(("", *_wrapped(f"{'#' * 8} {meaning}"), *_lines(section), ""))
        for section, meaning in sections.items()
    )


def _lines(section: str) -> Iterator[str]:
    for setting in catalogue.settings():
        if setting.section == section and not setting.is_table:
            yield ""
            yield from _wrapped(f"# {_meaning(setting)}")
            yield f"#{setting.environment_name}={_value(setting.default)}"


def _meaning(setting: Setting) -> str:
    unit = f" [{setting.unit}]" if setting.unit else ""
    from_file = f" Or {setting.environment_name}_FILE=/path." if setting.is_secret else ""
    return f"{setting.meaning}{unit}{from_file}"


def _wrapped(text: str) -> list[str]:
    mark = text.split(" ", 1)[0]
    return textwrap.wrap(
        text, WIDTH, subsequent_indent="# " if len(mark) == 1 else f"{mark} ", break_long_words=False
    )


def _value(default: Any) -> str:
    if default is None or default == {}:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)

"""The form of an OpenAI request as fields, lists and objects, whichever way a client writes them.

OpenAI's clients write a list as ``name[]``, once for each value, and an object as ``name[key]``; people with curl
write commas and JSON.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final, Self

from starlette.datastructures import FormData

from producers.gateway.failures import RequestRefused
from schemas.errors import Reason

_NAME: Final = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<key>[^\[\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Fields:
    """The text fields of a form; empty ones count as absent, as forms in browsers send every field."""

    plain: dict[str, list[str]]
    objects: dict[str, dict[str, str]]

    @classmethod
    def of(cls, form: FormData) -> Self:
        """Read a form. Raises RequestRefused for brackets that are neither a list nor an object."""
        plain: dict[str, list[str]] = defaultdict(list)
        objects: dict[str, dict[str, str]] = defaultdict(dict)
        for written, value in form.multi_items():
            if not isinstance(value, str) or not value:
                continue
            matched = _NAME.fullmatch(written)
            if matched is None:
                raise refused(written[:100], f"there is no field {written[:100]!r}")
            if key := matched["key"]:
                objects[matched["name"]][key] = value
            else:
                plain[matched["name"]].append(value)
        return cls(dict(plain), dict(objects))

    @property
    def names(self) -> list[str]:
        """The names without brackets, in order."""
        return list({**self.plain, **self.objects})

    def has(self, name: str) -> bool:
        """Return whether the field is given."""
        return name in self.plain or name in self.objects

    def text(self, name: str) -> str:
        """Return the field's value, the last one if it is given several times; empty if it is absent."""
        return self.plain[name][-1].strip() if name in self.plain else ""

    def listed(self, name: str, *, commas: bool = True) -> list[str]:
        """Return the values of a list, also those that one value separates by commas."""
        values = self.plain.get(name, [])
        return [
            part.strip() for value in values for part in (value.split(",") if commas else [value]) if part.strip()
        ]

    def object_of(self, name: str) -> dict[str, Any]:
        """Return an object, written with brackets or in JSON; empty if it is absent. Raises RequestRefused."""
        if name in self.objects:
            return dict(self.objects[name])
        if name not in self.plain:
            return {}
        try:
            value = json.loads(self.text(name))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise refused(name, f"{name}: write an object in JSON, or {name}[key]=value for each of its keys")
        return value


def refused(field: str, message: str) -> RequestRefused:
    """Return the refusal of a field."""
    return RequestRefused.because(Reason.INVALID_OPTIONS, message, param=field)

"""Pieces of HTML. Text is escaped here and nowhere else; ``code`` in backquotes becomes code."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Html:
    """A piece that is HTML already."""

    text: str

    def __str__(self) -> str:
        return self.text


def element(tag: str, *children: "str | Html", attributes: Mapping[str, str] | None = None) -> Html:
    """Return an element; children that are strings are escaped."""
    given = "".join(f' {name}="{html.escape(value)}"' for name, value in (attributes or {}).items())
    return Html(f"<{tag}{given}>{joined(children)}</{tag}>")


def joined(children: "Iterable[str | Html]") -> Html:
    """Return several pieces as one."""
    return Html("".join(str(child if isinstance(child, Html) else prose(child)) for child in children))


def prose(text: str) -> Html:
    """Return a sentence of the documents: escaped, with its code in backquotes as code."""
    return Html(_CODE.sub(r"<code>\1</code>", html.escape(text, quote=False)))


def code(text: str) -> Html:
    """Return text as code, letter for letter."""
    return Html(f"<code>{html.escape(text, quote=False)}</code>")


def block(text: str) -> Html:
    """Return lines of code."""
    # Focusable, so that a keyboard can scroll what is wider than the page.
    return Html(f'<pre tabindex="0"><code>{html.escape(text, quote=False)}</code></pre>')


def link(target: str, text: "str | Html") -> Html:
    """Return a link."""
    return element("a", text, attributes={"href": target})


def table(header: Sequence[str], rows: "Iterable[Sequence[str | Html]]") -> Html:
    """Return a table in a frame that scrolls by itself on narrow screens."""
    head = element("tr", *(element("th", name, attributes={"scope": "col"}) for name in header))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    return Html(
        f'<div class="scroll" tabindex="0"><table>{element("thead", head)}{element("tbody", *body)}</table></div>'
    )

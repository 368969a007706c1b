"""The page of the topics has everything that the AsyncAPI document says, as text."""

import html
import re
from html.parser import HTMLParser

import pytest

from kascribe.documents.asyncapi import asyncapi
from kascribe.documents.events_page import events_page
from kascribe.documents.html import code, element, link, prose

DOCUMENT = asyncapi("1.2.3")
PAGE = events_page(DOCUMENT, head="<style></style>", navigation="")
VOID = frozenset({"meta", "link", "br"})


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed in order; identifiers and links are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in given.items() if name == "id" and value]
        if (target := given.get("href") or "").startswith("#"):
            self.targets.add(target[1:])

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element."""
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_its_links_lead_somewhere() -> None:
    """Elements are closed in order, identifiers are unique, no link is dead."""
    reader = Reader()
    reader.feed(PAGE)
    reader.close()
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.targets <= set(reader.ids)


def test_every_topic_message_field_and_scheme_is_on_the_page() -> None:
    """Nothing of the document is left out."""
    text = html.unescape(re.sub(r"<[^>]+>", "", PAGE))
    components = DOCUMENT["components"]
    for channel in DOCUMENT["channels"].values():
        assert channel["address"] in text
        assert channel["description"].replace("`", "") in text
    for name, message in components["messages"].items():
        assert f'id="message-{name}"' in PAGE
        assert message["title"] in text
        assert all(header in text for header in message.get("headers", {}).get("properties", {}))
    for name, schema in components["schemas"].items():
        assert f'id="schema-{name}"' in PAGE
        assert all(
            f"<code>{each}</code>" in PAGE for each in (*schema.get("properties", ()), *schema.get("enum", ()))
        )
    assert all(f"<code>{name}</code>" in PAGE for name in components["securitySchemes"])


@pytest.mark.parametrize("made", [prose("<b> & `<i>`"), code("<b>"), element("p", "<b>"), link('"#', "<b>")])
def test_text_is_escaped(made: object) -> None:
    """A description cannot break the page."""
    assert "<b>" not in str(made)
    assert 'href=""' not in str(made)

"""The AsyncAPI document as a page in HTML: plain, without scripts, complete by itself."""

import json
from collections.abc import Mapping
from typing import Any, Final

from kascribe.documents.html import Html, block, code, element, link
from kascribe.documents.html import table as html_table
from kascribe.documents.schema_tables import kind_of, schema_table

DOCTYPE: Final = "<!doctype html>\n"
ACTIONS: Final = {"send": "Kascribe sends", "receive": "Kascribe receives"}

Document = Mapping[str, Any]


def events_page(document: Document, *, head: str, navigation: str) -> str:
    """Return the page of an AsyncAPI document. ``head`` has its style, ``navigation`` the links to other pages."""
    info = document["info"]
    body = (
        element("h1", f"{info['title']}: the topics "),
        element("p", f"Version {info['version']}. {info['description']}"),
        _contents(document),
        element("h2", "Servers"),
        *_servers(document),
        element("h2", "Topics"),
        *(_channel(name, document) for name in document["channels"]),
        element("h2", "Messages"),
        *(_message(name, document) for name in document["components"]["messages"]),
        element("h2", "Schemas"),
        *(_schema(name, each) for name, each in document["components"]["schemas"].items()),
    )
    return (
        f'{DOCTYPE}<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>Kascribe: the topics</title>\n{head}\n</head>\n<body class="text">\n{navigation}\n'
        "<main>\n" + "\n".join(str(piece) for piece in body) + "\n</main>\n</body>\n</html>\n"
    )


def _contents(document: Document) -> Html:
    links = (
        element("li", link(f"#channel-{name}", code(channel["address"])), f" {channel['title']}")
        for name, channel in document["channels"].items()
    )
    return element("ul", *links, attributes={"class": "contents"})


def _servers(document: Document) -> list[Html]:
    schemes = document["components"]["securitySchemes"]
    rows = [
        (
            server["title"],
            code(server["protocol"]),
            server["description"],
            ", ".join(f"`{_last(each)}`" for each in server.get("security", ())) or "none",
        )
        for server in document["servers"].values()
    ]
    described = [(code(name), scheme["type"], scheme["description"]) for name, scheme in schemes.items()]
    return [
        html_table(("server", "protocol", "meaning", "authentication"), rows),
        html_table(("authentication", "type", "settings"), described),
    ]


def _channel(name: str, document: Document) -> Html:
    channel = document["channels"][name]
    actions = [
        operation["action"]
        for operation in document["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{name}"
    ]
    badges = (element("span", ACTIONS[action], attributes={"class": f"badge {action}"}) for action in actions)
    parameters = [
        (code(each), parameter["description"], ", ".join(f"`{value}`" for value in _values(parameter)))
        for each, parameter in channel.get("parameters", {}).items()
    ]
    messages = (element("li", link(f"#message-{each}", each)) for each in channel["messages"])
    return element(
        "section",
        element("h3", code(channel["address"]), " ", *badges),
        element("p", channel["description"]),
        *([html_table(("parameter", "meaning", "values"), parameters)] if parameters else []),
        element("p", "Messages:"),
        element("ul", *messages),
        attributes={"id": f"channel-{name}"},
    )


def _message(name: str, document: Document) -> Html:
    message = document["components"]["messages"][name]
    key = message["bindings"]["kafka"]["key"]["description"]
    headers = [element("h4", "Headers"), schema_table(message["headers"])] if "headers" in message else []
    return element(
        "section",
        element("h3", f"{message['title']} ", code(name)),
        element("p", message["summary"]),
        element("p", "Value: ", link(f"#schema-{name}", name), ". Key: ", key),
        *headers,
        *(_example(example) for example in message.get("examples", ())),
        attributes={"id": f"message-{name}"},
    )


def _example(example: Document) -> Html:
    parts: list[Html] = []
    for part, title in (("headers", "Headers"), ("payload", "Value")):
        if part in example:
            parts += [element("h4", title), block(json.dumps(example[part], indent=2, ensure_ascii=False))]
    summary = f"Example. {example.get('summary', '')}".strip()
    return element("details", element("summary", summary), *parts)


def _schema(name: str, schema: Document) -> Html:
    return element(
        "section",
        element("h3", code(name)),
        element("p", schema.get("description", "")),
        schema_table(schema) if "properties" in schema else element("p", "Values: ", kind_of(schema), "."),
        attributes={"id": f"schema-{name}"},
    )


def _values(parameter: Document) -> list[str]:
    return [*parameter.get("enum", ()), *parameter.get("examples", ())]


def _last(reference: Mapping[str, str]) -> str:
    return reference["$ref"].rsplit("/", 1)[-1]

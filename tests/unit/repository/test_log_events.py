"""Every log line of the product is an event of the catalogue, which docs/logs.md explains."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import pytest

from kascribe.process.log_events.catalogue import AREAS, EVENTS
from tests.structure.sources import Module, parse, product
from tests.structure.trees import working_tree

METHODS: Final = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
HOW_TO_ADD: Final = (
    "add LogEvent(name=..., level=..., fields=..., meaning=...) to its area in kascribe/process/log_events, and "
    "run `make docs`; the first argument of a log call is the event's name as a literal, all else goes into fields"
)


@dataclass(frozen=True, slots=True)
class LogCall:
    """One call of a logger. ``event`` is None where its first argument is no literal."""

    place: str
    level: str
    event: str | None
    fields: tuple[str, ...]


def log_calls(module: Module) -> Iterator[LogCall]:
    """Find the calls of structlog's loggers: of names bound to ``structlog.get_logger(...)``, or that itself."""
    loggers = {
        ast.unparse(target)
        for node in module.nodes
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_logger(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in module.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        if node.func.attr in METHODS and (ast.unparse(owner) in loggers or _is_logger(owner)):
            first = node.args[0] if node.args else None
            event = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            fields = tuple(keyword.arg for keyword in node.keywords if keyword.arg is not None)
            yield LogCall(f"{module.path}:{node.lineno}", METHODS[node.func.attr], event, fields)


def problems(calls: Sequence[LogCall]) -> list[str]:
    """Return a sentence for each call that the catalogue does not describe, and for each event without a call."""
    found = [f"{call.place}: {problem}" for call in calls if (problem := _problem(call))]
    used = {call.event for call in calls}
    found += [f"no call logs the event {name!r}: remove it from its area" for name in EVENTS if name not in used]
    return found


def _problem(call: LogCall) -> str | None:
    event = EVENTS.get(call.event or "")
    if event is None:
        return f"the event {call.event!r} is not in the catalogue: {HOW_TO_ADD}"
    if call.level != event.level:
        return f"{event.name!r} is logged as {call.level}, and {event.level} in the catalogue: make them the same"
    if unknown := [name for name in call.fields if name not in event.fields]:
        return f"{event.name!r} has the fields {unknown}, which its row in the catalogue lacks: {HOW_TO_ADD}"
    return None


def _is_logger(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "structlog.get_logger"


@cache
def _product() -> list[Module]:
    return product(parse(working_tree()))


def test_every_line_is_an_event_of_the_catalogue_and_every_event_has_a_line() -> None:
    """An alert on an event's name works for as long as the page lists it."""
    calls = [call for module in _product() for call in log_calls(module)]
    assert len(calls) > 50
    assert problems(calls) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("_log.info('never heard of', why='x')", "'never heard of' is not in the catalogue"),
        ("_log.info(f'retry {number}')", "None is not in the catalogue"),
        ("_log.info('dead letter')", "logged as info, and warning"),
        ("_log.warning('dead letter', reasons='x')", "has the fields ['reasons']"),
        ("structlog.get_logger().error('elsewhere')", "'elsewhere' is not in the catalogue"),
    ],
)
def test_a_call_that_the_catalogue_does_not_describe_is_named_with_what_to_do(call: str, said: str) -> None:
    """The place is one that editors open."""
    (module,) = parse({"models/new.py": f"_log: Final = structlog.get_logger(__name__)\n{call}\n"})
    (found,) = [each for each in problems(list(log_calls(module))) if each.startswith("models/new.py:2: ")]
    assert said in found
    if "catalogue:" in found:
        assert "`make docs`" in found or "make them the same" in found


def test_no_name_stands_twice() -> None:
    """An event has one meaning, so it has one row."""
    names = Counter(event.name for area in AREAS.values() for event in area)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_cause_is_made_of_the_event_s_own_fields() -> None:
    """A field that no call gives would hide different causes from each other."""
    assert [event.name for event in EVENTS.values() if not {*(event.cause or ())} <= {*event.fields}] == []


def test_only_the_log_writes_through_the_standard_library() -> None:
    """Other modules hand a logger to a library, and log events themselves."""
    stray = [
        f"{module.path}:{node.lineno}"
        for module in _product()
        for node in module.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            ast.unparse(node.func) in {"warnings.warn", "logging.warning", "logging.error", "logging.info"}
            or (node.func.attr in METHODS and ast.unparse(node.func.value).startswith("logging.getLogger"))
        )
    ]
    assert stray == []

"""The measures of `make structure`, on small invented trees."""

import subprocess
from pathlib import Path

import pytest

from tests.structure import __main__ as command
from tests.structure.classes import Kind, crowded_constructors, protocols_outside_ports, runtime_classes
from tests.structure.folders import siblings, stale_reasons, too_full
from tests.structure.imports import (
    between_packages,
    circle_findings,
    circles,
    entry_points,
    graph,
    imports,
    only_for_tests,
)
from tests.structure.lengths import bodies, module_lengths, percentile
from tests.structure.measures import measure
from tests.structure.sources import parse, product
from tests.structure.table import broken
from tests.structure.trees import NoSuchRevision, revision, working_tree
from tests.structure.vocabulary import per_1000, words


def circles_of(texts: dict[str, str]) -> list[list[str]]:
    """Find the circles of a tree."""
    return circles(graph(imports(parse(texts))))


def test_a_body_is_counted_from_its_first_statement_to_its_last() -> None:
    """Signature, decorators and docstring are left out; a comment in between counts."""
    text = '@cache\ndef f(\n    a,\n):\n    """Do.\n\n    More.\n    """\n    b = a\n    # why\n\n    return b\n'
    assert [lines for lines, _ in bodies(parse({"schemas/a.py": text}))] == [4]


def test_a_nested_function_counts_in_the_outer_one_and_for_its_own() -> None:
    """With its decorator in the outer one, also where the body begins with that."""
    text = "def outer():\n    @cache\n    def inner():\n        return 1\n    return inner\n"
    found = [(lines, finding.text) for lines, finding in bodies(parse({"schemas/a.py": text}))]
    assert found == [(4, "outer, 4 lines"), (1, "inner, 1 lines")]


@pytest.mark.parametrize("body", ['"""Only this."""', "...", '"""This."""\n    ...', "pass"])
def test_a_declaration_without_a_body_is_no_function(body: str) -> None:
    """The methods of protocols would otherwise lower the median."""
    assert bodies(parse({"schemas/a.py": f"def f() -> None:\n    {body}\n"})) == []


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.9, 9), (0.91, 10), (1.0, 10), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    """The smallest that at least this share of them does not exceed."""
    assert percentile(list(range(10, 0, -1)), share) == value
    assert percentile([], share) == 0


def test_modules_are_measured_without_the_files_that_make_packages() -> None:
    """An almost empty file for each package would distort the figures of the modules."""
    texts = {"schemas/__init__.py": '"""S."""\n', "schemas/a.py": "a = 1\nb = 2\n", "schemas/n.md": "text"}
    assert [(lines, finding.path) for lines, finding in module_lengths(parse(texts))] == [(2, "schemas/a.py")]


def test_siblings_are_modules_and_folders_that_hold_python() -> None:
    """At any depth; what makes or starts a package is not a sibling, nor is a file in another language."""
    paths = ("a/__init__.py", "a/__main__.py", "a/b.py", "a/c/d/e.py", "a/c/d/f.py", "a/c/g.py", "top.py")
    texts = dict.fromkeys(paths, "") | {"a/deeper/notes.md": ""}
    assert siblings(parse(texts)) == {"a": 2, "a/c": 2, "a/c/d": 2}


def test_a_folder_over_the_limit_needs_a_stated_reason() -> None:
    """Seventeen are too many; a reason that is needed no more is found too."""
    counts = {"a": 16, "b": 17, "c": 40}
    assert [finding.path for finding in too_full(counts, {})] == ["c/", "b/"]
    assert [finding.path for finding in too_full(counts, {"c": "one for each header"})] == ["b/"]
    assert stale_reasons(counts, {"a": "x", "c": "x", "gone": "x"}) == ["a", "gone"]


@pytest.mark.parametrize(
    "closing",
    [
        "from schemas import a\n",
        "import schemas.a\n",
        "from schemas.a import NAME\n",
        "from . import a\n",
        "from .a import NAME\n",
        "if TYPE_CHECKING:\n    from schemas.a import Name\n",
        "def late():\n    from schemas.a import Name\n",
    ],
)
def test_a_circle_is_found_however_it_is_closed(closing: str) -> None:
    """At the top or in a function, absolute or relative, for the types alone too."""
    texts = {
        "schemas/__init__.py": "",
        "schemas/a.py": "from schemas.b import x\n",
        "schemas/b.py": "import schemas.c\n",
        "schemas/c.py": closing,
        "schemas/outside.py": "from schemas import a, b, c\n",
    }
    assert circles_of(texts) == [["schemas.a", "schemas.b", "schemas.c"]]


def test_an_import_counts_for_the_module_that_is_named() -> None:
    """A package that re-exports its modules is in no circle with them, unless one of them names the package."""
    texts = {
        "models/__init__.py": "from models.a import A\n",
        "models/a.py": "from models.b import B\n",
        "models/b.py": "import json\nfrom models_of_others import c\n",
    }
    assert circles_of(texts) == []
    assert circles_of(texts | {"models/b.py": "from models import A\n"}) == [["models", "models.a", "models.b"]]


def test_circles_between_packages_need_none_between_modules() -> None:
    """Two packages that need each other can be understood only together. The rarer direction is listed first."""
    texts = {
        "consumers/x/a.py": "from consumers.y.b import x, y, z\n\nimport consumers.y.b\n",
        "consumers/x/c.py": "",
        "consumers/y/b.py": "import consumers.x.c\n",
        "schemas/d.py": "import consumers.x.a\n",
    }
    modules = parse(texts)
    found = imports(modules)
    assert circles(graph(found)) == []
    packages = between_packages(found, modules, "consumers")
    assert circles(graph(packages)) == [["consumers.x", "consumers.y"]]
    assert [str(finding) for finding in circle_findings(packages)] == [
        "consumers/y/b.py:1  consumers.y imports consumers.x.c (circle of 2)",
        "consumers/x/a.py:1  consumers.x imports consumers.y.b (circle of 2)",
        "consumers/x/a.py:3  consumers.x imports consumers.y.b (circle of 2)",
    ]


def test_a_module_that_only_tests_import_is_found() -> None:
    """But not a package, nor what is started: as a command, by its name, or by itself."""
    texts = {
        "schemas/__init__.py": "",
        "schemas/used.py": "",
        "schemas/lonely.py": "",
        "schemas/tested.py": "",
        "kascribe/__main__.py": "from schemas import used\n",
        "kascribe/cli.py": "",
        "kascribe/child.py": "",
        "kascribe/parent.py": 'if __name__ == "__main__":\n    run(["-m", "kascribe.child"])\n',
        "tests/test_a.py": 'import schemas.tested, schemas.used\n"schemas.lonely"\n',
        "pyproject.toml": '[project.scripts]\nkascribe = "kascribe.cli:main"\n',
    }
    modules = parse(texts)
    found = only_for_tests(modules, imports(modules), entry_points(texts["pyproject.toml"]))
    assert [str(finding) for finding in found] == [
        "schemas/lonely.py:1  imported by no module",
        "schemas/tested.py:1  imported by tests.test_a",
    ]


def test_nouns_are_the_public_classes_that_act() -> None:
    """A class is what its bases are, where they are in another module too."""
    texts = {
        "schemas/errors.py": "class OurError(ValueError): pass\n",
        "consumers/runtime/a.py": (
            "class Loop: pass\nclass Server(HTTPServer): pass\nclass _Part: pass\n"
            "class Lost(errors.OurError): pass\nclass Colour(Enum): pass\nclass Port(Protocol[T]): pass\n"
            "@dataclass(frozen=True)\nclass Value: pass\nclass Pair(NamedTuple): pass\n"
        ),
        "consumers/runtime/deep/b.py": "class Inner:\n    class Nested: pass\n",
        "consumers/other.py": "class Elsewhere: pass\n",
    }
    found = {kind: [one.text for one in runtime_classes(parse(texts), [kind])] for kind in Kind}
    assert found == {
        Kind.NOUN: ["Loop (noun)", "Server (noun)", "Inner (noun)"],
        Kind.VALUE: ["Value (value)", "Pair (value)"],
        Kind.ENUM: ["Colour (enum)"],
        Kind.PROTOCOL: ["Port (protocol)"],
        Kind.EXCEPTION: ["Lost (exception)"],
    }


def test_protocols_stand_in_modules_named_ports() -> None:
    """The private ones may stand where they are used."""
    text = "class Port(Protocol):\n    pass\nclass _Own(Protocol):\n    pass\n"
    found = protocols_outside_ports(parse({"models/ports.py": text, "models/a.py": text}))
    assert [str(finding) for finding in found] == ["models/a.py:1  Port"]


def test_a_constructor_has_at_most_five_positional_parameters() -> None:
    """Without self; what can be given only by its name does not count."""
    text = "class {}:\n    def __init__(self, a, b, /, c, d, e{}, key=1, **rest): ...\n"
    texts = {"models/a.py": text.format("Five", ", *"), "models/b.py": text.format("Six", ", f, *")}
    found = crowded_constructors(parse(texts))
    assert [str(finding) for finding in found] == ["models/b.py:2  Six, 6 positional parameters"]


def test_unnamed_actors_are_found_in_docstrings_of_every_sort() -> None:
    """Of modules, classes, functions and attributes, in any case, and nowhere else."""
    text = (
        '"""Who calls.\n\nThen somebody\'s turn."""\nA = "nobody"\n"""For anyone."""\n# whoever\n'
        'class C:\n    """One whose."""\n    field: int\n    """Whom it is for."""\n'
        "    def f(self):\n        '''Whole.'''\n        print('who')\n        'nobody'\n"
    )
    total, unnamed = words(parse({"schemas/a.py": text}))
    assert total == 2 + 3 + 2 + 2 + 4 + 1
    assert [(finding.line, finding.text) for finding in unnamed] == [
        (1, "Who calls."),
        (3, "Then somebody's turn."),
        (5, "For anyone."),
        (8, "One whose."),
        (10, "Whom it is for."),
    ]
    assert per_1000(total, 7) == 500
    assert per_1000(0, 0) == 0


def test_product_code_is_what_the_wheel_carries() -> None:
    """Neither tests nor the servers of development are measured."""
    texts = dict.fromkeys(("schemas/a.py", "tests/test_a.py", "deploy/b.py", "kascribe/c/d.py"), "")
    assert [module.path for module in product(parse(texts))] == ["kascribe/c/d.py", "schemas/a.py"]


def test_each_limit_is_broken_by_a_tree_that_breaks_it_alone() -> None:
    """A tree within all limits breaks none, and neither does an empty one."""
    clean = {"schemas/a.py": '"""A caller waits."""\n', "tests/a.py": "", "pyproject.toml": ""}
    constructor = "class A:\n    def __init__(self, a, b, c, d, e, f): ...\n"
    breaking: dict[str, dict[str, str]] = {
        "folders of product code with more than 16 siblings": {f"schemas/m{n}.py": "" for n in range(17)},
        "folders of tests with more than 16 siblings": {f"tests/m{n}.py": "" for n in range(17)},
        "import circles between modules": {"models/a.py": "import models.b", "models/b.py": "import models.a"},
        '"who", "nobody" and the like per 1,000 words': {"models/a.py": '"""Nobody waits."""\n'},
        "constructors with more than 5 positional parameters": {"models/a.py": constructor},
    }
    assert broken(measure({}, {})) == broken(measure(clean, {})) == []
    for label, texts in breaking.items():
        assert [row.label for row in broken(measure(clean | texts, {}))] == [label]
    stated = measure(breaking["folders of tests with more than 16 siblings"], {"tests": "one for each server"})
    assert broken(stated) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a repository with one commit, tagged ``before``, and a working tree with changes after it."""
    (tmp_path / "schemas").mkdir()
    module = tmp_path / "schemas" / "a.py"
    module.write_text("A = 1\n", encoding="utf-8")
    (tmp_path / "schemas" / "b.py").write_text("", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("ignored.py\n", encoding="utf-8")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "Begin"], ["tag", "before"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    module.write_text("A = 2\n", encoding="utf-8")
    (tmp_path / "schemas" / "b.py").unlink()
    (tmp_path / "schemas" / "c.py").write_text("", encoding="utf-8")
    (tmp_path / "ignored.py").write_text("", encoding="utf-8")
    return tmp_path


def test_a_revision_is_read_beside_a_working_tree_that_stays_as_it_is(checkout: Path) -> None:
    """The working tree is what lies on the disk: with new files, without removed and ignored ones."""
    assert revision("before", checkout) == {"schemas/a.py": "A = 1\n", "schemas/b.py": ""}
    assert working_tree(checkout) == {"schemas/a.py": "A = 2\n", "schemas/c.py": ""}


@pytest.mark.parametrize("name", ["no-such-revision", "--output=x", ""])
def test_a_revision_that_is_none_is_refused(checkout: Path, name: str) -> None:
    """Also one that looks like an option of git."""
    with pytest.raises(NoSuchRevision):
        revision(name, checkout)
    assert not (checkout / "x").exists()


def test_the_command_shows_revisions_beside_the_working_tree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In 100 columns, with places on request. The exit code is 1 where the working tree breaks a limit."""
    circle = {"models/a.py": "import models.b\n", "models/b.py": "import models.a\n"}
    monkeypatch.setattr(command, "STATED_REASONS", {})
    monkeypatch.setattr(command, "working_tree", lambda: circle)
    monkeypatch.setattr(command, "revision", lambda name: {f"models/{name}.py": ""})
    assert command.main(["--revision", "old", "--revision", "older", "--list"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 100
    rows = {line.split("  ")[0].strip(): line.split()[-4:] for line in shown.splitlines()}
    assert rows["import circles between modules"] == ["0", "1", "!", "0"]
    assert "  models/b.py:1  imports models.a (circle of 2)" in shown
    assert command.main(["--check"]) == 1
    assert "import circles between modules: 1, limit 0\n  models/a.py:1" in capsys.readouterr().err
    monkeypatch.setattr(command, "working_tree", dict)
    assert command.main(["--check"]) == 0
    monkeypatch.setattr(command, "STATED_REASONS", {"models": "needed once"})
    assert command.main(["--check"]) == 1


def test_the_command_reports_what_is_wrong_with_a_revision(capsys: pytest.CaptureFixture[str]) -> None:
    """In git's words, without a traceback."""
    with pytest.raises(SystemExit, match="2"):
        command.main(["--revision", "no-such-revision"])
    assert "fatal: " in capsys.readouterr().err

"""Types that clients generate from the committed contracts compile, and lack nothing."""

import json
import re
import shutil
from pathlib import Path
from typing import Final

from deploy.stack import StackError
from tests.clients.contracts import BUNDLE, enumerations, examples, lay_out, objects
from tests.clients.toolchains import GO, JAVA, PYTHON, TYPESCRIPT, Toolchain, run
from tests.support.listening import missing

NULLABLE: Final = frozenset({"EnrichOptions", "VadParameters"})
"""The models of which null is a value too."""


def prepared(toolchain: Toolchain) -> Path:
    """Return the generator's directory; skip the test where it cannot be installed, or fail it in CI."""
    if programs := toolchain.missing():
        missing(f"{toolchain.language} types need, on PATH: {', '.join(programs)}")
    try:
        return toolchain.prepare()
    except StackError as error:
        missing(f"the generator of {toolchain.language} types cannot be installed: {error}")


def test_typescript_types_compile_and_only_enumerations_are_aliases(tmp_path: Path) -> None:
    """Strict TypeScript takes an event of every kind as a literal of its type; nothing is an alias of a string."""
    programs = prepared(TYPESCRIPT) / "node_modules" / ".bin"
    for schema in lay_out(tmp_path):
        run([programs / "json2ts", schema, schema.with_suffix(".ts")])
    uses = [f"export const a{kind}: {kind} = {event};" for kind, event in examples().items()]
    imported = f'import type {{ {", ".join(examples())} }} from "./{BUNDLE}/Contracts";'
    (tmp_path / "uses.ts").write_text("\n".join([imported, *uses]), encoding="utf-8")
    run([programs / "tsc", "--noEmit", "--strict", *sorted(tmp_path.rglob("*.ts"))])
    written = (tmp_path / BUNDLE / "Contracts.ts").read_text(encoding="utf-8")
    assert set(re.findall(r"export type (\w+)", written)) == enumerations() | NULLABLE
    assert {name for name, _ in objects()} - NULLABLE < set(re.findall(r"export interface (\w+)", written))


def test_java_types_compile_and_keep_every_field(tmp_path: Path) -> None:
    """Jackson classes have a property for each field, those that may be absent too, and Failure is a class."""
    shutil.copy(prepared(JAVA) / "pom.xml", tmp_path)
    lay_out(tmp_path / "schemas")
    run(["mvn", "-q", "-B", "-f", tmp_path / "pom.xml", "compile"])
    sources = tmp_path / "target" / "generated-sources" / "jsonschema2pojo" / "contract" / BUNDLE
    for name, fields in objects():
        written = (sources / f"{name}.java").read_text(encoding="utf-8")
        assert set(re.findall(r'@JsonProperty\("([^"]+)"\)', written)) == fields
    failure = (sources / "Failure.java").read_text(encoding="utf-8")
    assert "private String deadLetterTopic;" in failure
    assert (tmp_path / "target" / "classes" / "contract" / BUNDLE / "Failure.class").is_file()


_GO_MAIN: Final = """package main

import (
\t"encoding/json"
\t"fmt"
\t"os"

\t"client/contracts"
)

func main() {
%s
}
"""
_GO_READ: Final = """\t{
\t\tvar event contracts.%s
\t\tif err := json.Unmarshal([]byte(%s), &event); err != nil {
\t\t\tfmt.Println("%s:", err)
\t\t\tos.Exit(1)
\t\t}
\t}"""


def test_go_types_compile_and_read_every_event(tmp_path: Path) -> None:
    """Each schema is a package that builds; the generated checks accept an event of every kind."""
    generator = prepared(GO) / "go-jsonschema"
    (tmp_path / "go.mod").write_text("module client\n\ngo 1.23\n", encoding="utf-8")
    for schema in lay_out(tmp_path):
        run([generator, "-p", schema.parent.name, schema, "-o", schema.with_suffix(".go")])
    reads = "\n".join(_GO_READ % (kind, json.dumps(event), kind) for kind, event in examples().items())
    (tmp_path / "main.go").write_text(_GO_MAIN % reads, encoding="utf-8")
    run(["go", "-C", tmp_path, "build", "./..."])
    run(["go", "-C", tmp_path, "run", "."])
    written = (tmp_path / BUNDLE / "Contracts.go").read_text(encoding="utf-8")
    for name, fields in objects():
        struct = re.search(rf"^type {name} struct {{\n(.*?)^}}", written, re.MULTILINE | re.DOTALL)
        assert struct is not None
        assert set(re.findall(r'json:"([^",]+)', struct[1])) == fields


_PYTHON_MAIN: Final = """
import importlib, json, pathlib, sys
from datamodel_code_generator.__main__ import main

place = pathlib.Path(sys.argv[1])
options = "--input-file-type jsonschema --output-model-type pydantic_v2.BaseModel --formatters builtin"
for schema, target in json.loads((place / "packages.json").read_text()):
    assert main(["--input", schema, "--output", target, *options.split()]) == 0
    importlib.import_module(pathlib.Path(target).parent.name)
contracts = importlib.import_module("contracts")
for kind, event in json.loads((place / "examples.json").read_text()).items():
    read = getattr(contracts, kind).model_validate_json(event)
    assert json.loads(event).keys() == read.model_dump(exclude_unset=True, by_alias=True).keys(), kind
"""


def test_python_types_read_every_event(tmp_path: Path) -> None:
    """Pydantic models of another process accept an event of every kind and give back the same fields."""
    python = prepared(PYTHON) / "venv" / "bin" / "python"
    packages = [(str(schema), str(schema.parent / "__init__.py")) for schema in lay_out(tmp_path)]
    (tmp_path / "packages.json").write_text(json.dumps(packages), encoding="utf-8")
    (tmp_path / "examples.json").write_text(json.dumps(examples()), encoding="utf-8")
    run([python, "-c", _PYTHON_MAIN, tmp_path], PYTHONPATH=str(tmp_path))

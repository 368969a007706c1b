"""``kascribe models``: the models on this disk. Imports wait until a command runs, so that help is fast."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from pydantic import BaseModel, ConfigDict

from kascribe.commands.options import completions
from kascribe.commands.options.json_option import json_option
from kascribe.console.terminal import bars, one_line, write, write_json

if TYPE_CHECKING:
    from models.store import ModelStore, StoredModel

app: Final = typer.Typer(no_args_is_help=True)
Name = Annotated[
    str,
    typer.Argument(
        help="Such as large-v3-turbo, org/repo, or a directory.",
        show_default=False,
        autocompletion=completions.stored_models,
    ),
]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME…",
        help="Such as large-v3-turbo or org/repo.",
        show_default=False,
        autocompletion=completions.models,
    ),
]
StoredNames = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME…",
        help="Such as large-v3-turbo or org/repo.",
        show_default=False,
        autocompletion=completions.stored_models,
    ),
]


class ModelRow(BaseModel):
    """One model. ``path``, ``revision`` and ``manifest`` are those of a model on this disk.

    ``size_bytes`` is about that of a pull for one that is only known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    short_names: tuple[str, ...]
    path: str | None
    size_bytes: int | None
    revision: str | None
    manifest: dict[str, Any] | None
    problem: str | None


BYTES_PER_MEGABYTE: Final = 1_000_000


@app.command()
def pull(
    names: Names,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit; the main branch if not given.")
    ] = None,
) -> None:
    """Fetch models; continue where an earlier pull stopped.

    Examples:
        $ kascribe models pull large-v3-turbo
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from models.store import Transfer

    store = _store()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    for name in names:
        with bars(*columns) as progress:
            task = progress.add_task(name, total=None)

            def show(transfer: "Transfer") -> None:
                progress.update(
                    task,  # noqa: B023
                    description=one_line(transfer.path),
                    completed=transfer.done_bytes,
                    total=transfer.total_bytes,
                )

            pulled = store.pull(name, revision=revision, progress=show)
        write(_line(pulled))


@app.command("list")
def list_models(
    known: Annotated[bool, typer.Option("--known", help="Instead, the short names that can be pulled.")] = False,
    as_json: Annotated[bool, json_option(ModelRow, "model")] = False,
) -> None:
    """List the models on this disk.

    Examples:
        $ kascribe models list
        $ kascribe models list --known
    """
    if known:
        _list_known(as_json=as_json)
        return
    stored = _store().list()
    for model in stored:
        if as_json:
            write_json(_row(model))
        else:
            write(_line(model))
    if not stored and not as_json:
        write("no model is on this disk yet: `kascribe models pull large-v3-turbo` fetches one")


def _list_known(*, as_json: bool) -> None:
    from models.store import MEGABYTES, REPOSITORIES

    for name, repository in REPOSITORIES.items():
        if as_json:
            write_json(
                ModelRow(
                    name=repository,
                    short_names=(name,),
                    path=None,
                    size_bytes=MEGABYTES[name] * BYTES_PER_MEGABYTE,
                    revision=None,
                    manifest=None,
                    problem=None,
                )
            )
        else:
            write(f"{name}\t{repository}\tabout {MEGABYTES[name]:,} MB")


@app.command()
def verify(name: Name) -> None:
    """Hash every file of a model again; exit code 1 when one differs.

    Examples:
        $ kascribe models verify large-v3-turbo
    """
    problems = _store().verify(name)
    for problem in problems:
        write(problem)
    if problems:
        write(f"remove and pull it again: kascribe models remove {name} && kascribe models pull {name}")
        raise typer.Exit(1)
    write(f"{name} is what was pulled")


@app.command()
def path(name: Name) -> None:
    """Print the directory of a model; fetches nothing.

    Examples:
        $ export KASCRIBE_WHISPER_MODEL="$(kascribe models path small)"
    """
    write(str(_store().path(name)))


@app.command()
def remove(names: StoredNames) -> None:
    """Delete models from this disk.

    Examples:
        $ kascribe models remove tiny base
    """
    store = _store()
    for name in names:
        write(f"removed {store.remove(name)}")


def _store() -> "ModelStore":
    import os

    from kascribe.configuration.reading import load
    from models.store import ModelStore

    return ModelStore.from_settings(load().settings.whisper, os.environ)


def _line(model: "StoredModel") -> str:
    names = f"{model.name} ({', '.join(model.short_names)})" if model.short_names else model.name
    if model.problem:
        return f"{names}\t{model.problem}"
    if model.manifest is None:
        return f"{names}\tcopied here\t{model.path}"
    size = f"{model.manifest.size_bytes / BYTES_PER_MEGABYTE:,.0f} MB"
    return f"{names}\t{size}\t{model.manifest.revision[:12]}\t{model.path}"


def _row(model: "StoredModel") -> ModelRow:
    manifest = model.manifest
    return ModelRow(
        name=model.name,
        short_names=model.short_names,
        path=str(model.path),
        size_bytes=manifest.size_bytes if manifest else None,
        revision=manifest.revision if manifest else None,
        manifest=manifest.model_dump(mode="json") if manifest else None,
        problem=model.problem or None,
    )

"""``kascribe models``: the models on this disk. Imports wait until a command runs, so that help is fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from kascribe.console.terminal import bars, one_line, write

if TYPE_CHECKING:
    from models.store import ModelStore, StoredModel

app: Final = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Such as large-v3-turbo, org/repo, or a directory.", show_default=False)]
Names = Annotated[list[str], typer.Argument(help="Such as large-v3-turbo or org/repo.", show_default=False)]

BYTES_PER_MEGABYTE: Final = 1_000_000


@app.command()
def pull(
    names: Names,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit; the main branch if not given.")
    ] = None,
) -> None:
    """Fetch models; goes on where an earlier pull stopped."""
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

            def show(transfer: Transfer) -> None:
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
    known: Annotated[bool, typer.Option(help="Instead, the short names that can be pulled.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One model per line.")] = False,
) -> None:
    """List the models on this disk."""
    from models.store import REPOSITORIES

    if known:
        for name, repository in REPOSITORIES.items():
            write(f"{name}\t{repository}")
        return
    stored = _store().list()
    for model in stored:
        write(_json_line(model) if as_json else _line(model))
    if not stored and not as_json:
        write("no model is on this disk yet: `kascribe models pull large-v3-turbo` fetches one")


@app.command()
def verify(name: Name) -> None:
    """Hash every file of a model again; exit code 1 when one differs."""
    problems = _store().verify(name)
    for problem in problems:
        write(problem)
    if problems:
        write(f"remove and pull it again: kascribe models remove {name} && kascribe models pull {name}")
        raise typer.Exit(1)
    write(f"{name} is what was pulled")


@app.command()
def path(name: Name) -> None:
    """Print the directory of a model; fetches nothing."""
    write(str(_store().path(name)))


@app.command()
def remove(names: Names) -> None:
    """Delete models from this disk."""
    store = _store()
    for name in names:
        write(f"removed {store.remove(name)}")


def _store() -> ModelStore:
    import os

    from kascribe.configuration.reading import load
    from models.store import ModelStore

    return ModelStore.from_settings(load().settings.whisper, os.environ)


def _line(model: StoredModel) -> str:
    names = f"{model.name} ({', '.join(model.short_names)})" if model.short_names else model.name
    if model.problem:
        return f"{names}\t{model.problem}"
    if model.manifest is None:
        return f"{names}\tcopied here\t{model.path}"
    size = f"{model.manifest.size_bytes / BYTES_PER_MEGABYTE:,.0f} MB"
    return f"{names}\t{size}\t{model.manifest.revision[:12]}\t{model.path}"


def _json_line(model: StoredModel) -> str:
    import json

    manifest = model.manifest.model_dump(mode="json") if model.manifest else None
    row = {"name": model.name, "short_names": model.short_names, "path": str(model.path), "manifest": manifest}
    row |= {"problem": model.problem} if model.problem else {}
    return json.dumps(row, ensure_ascii=False)

"""``kascribe watch``: transcripts as they arrive."""

import json
from typing import Annotated

import typer


def watch(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Also what is on the topic already.")
    ] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Also progress, not only results.")] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One line of JSON for each event: type, and the fields that docs/events.html describes."
        ),
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many results.")] = None,
) -> None:
    """Follow transcripts and enrichments.

    Examples:
        $ kascribe watch
        $ kascribe watch --from-beginning --json | jq -r .text
    """
    from consumers.kafka.follower import Start
    from kascribe.commands.settings import running_system
    from kascribe.console.board import Board
    from kascribe.console.following import JobFeed
    from kascribe.console.terminal import Screen, write
    from schemas.events import Phase, ProgressEvent

    settings = running_system().settings
    feed = JobFeed(settings.kafka, start=Start.BEGINNING if from_beginning else Start.NOW)
    board = Board(Screen(), beside=Screen(stderr=True))
    results = 0
    try:
        if not as_json:
            board.start()
        for event in feed.events():
            if event is None:
                continue
            if (
                isinstance(event, ProgressEvent)
                and not progress
                and event.phase not in (Phase.FAILED, Phase.CANCELLED)
            ):
                continue
            if as_json:
                fields = event.model_dump(mode="json", exclude_none=True)
                write(json.dumps({"type": event.ce_type, **fields}, ensure_ascii=False))
            else:
                board.show(event)
            results += not isinstance(event, ProgressEvent)
            if count and results >= count:
                return
    except KeyboardInterrupt:
        return
    finally:
        board.stop()
        feed.close()

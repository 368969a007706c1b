"""``kascribe results``: what is kept in the bucket, published again."""

from contextlib import closing
from typing import Annotated, Final

import typer
from pydantic import BaseModel, ConfigDict

from kascribe.commands.options.json_option import json_option
from kascribe.console.terminal import write, write_json

app: Final = typer.Typer(no_args_is_help=True)


class RepublishedRow(BaseModel):
    """One job, and how many of its events were published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    published_events: int


@app.callback()
def results() -> None:
    """Work on the results that are kept in the bucket."""


@app.command("republish")
def republish(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB…", help="The ids of finished jobs.")],
    as_json: Annotated[bool, json_option(RepublishedRow, "job")] = False,
) -> None:
    """Publish the events of finished jobs again: transcript, enrichments, and that they are completed.

    Examples:
        $ kascribe results republish 5f1c0d7a9b3e4c2d8a6f7b1e0c9d8e7f
    """
    from consumers.s3 import reach_store
    from kascribe.commands.settings import running_system
    from kascribe.results.republishing import Republishing
    from producers.publisher import Publisher
    from producers.results import EnrichmentResults, ResultStore
    from producers.s3 import create_client
    from schemas.clock import SystemClock
    from schemas.kafka.topics import Topics

    settings = running_system().settings
    reach_store(settings.s3)
    client = create_client(settings.s3)
    topics = Topics(settings.kafka.topic_prefix)
    republishing = Republishing(
        ResultStore(settings.s3, client=client),
        EnrichmentResults(settings.s3, client=client),
        topics,
        SystemClock(),
    )
    # All are read before anything is published: a misspelt id changes nothing.
    records = {job: republishing.records(job) for job in jobs}
    with closing(Publisher(settings.kafka)) as publisher:
        for job, outgoing in records.items():
            publisher.publish(outgoing)
            if as_json:
                write_json(RepublishedRow(job_id=job, published_events=len(outgoing)))
                continue
            write(f"{job}: {len(outgoing)} events published again")

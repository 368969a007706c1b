"""``kascribe results``: what is kept in the bucket, published again."""

from contextlib import closing
from typing import Annotated, Final

import typer

from kascribe.console.terminal import write

app: Final = typer.Typer(no_args_is_help=True)


@app.callback()
def results() -> None:
    """Work on the results that are kept in the bucket."""


@app.command("republish")
def republish(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB…", help="The ids of finished jobs.")],
) -> None:
    """Publish the events of finished jobs again: transcript, enrichments, and that they are completed."""
    from consumers.s3 import reach_store
    from kascribe.commands.settings import running_system
    from kascribe.republishing import Republishing
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
            write(f"{job}: {len(outgoing)} events published again")

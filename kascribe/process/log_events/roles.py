"""Events of the roles: transcriber, enricher, notifier, archive, reconciler, and the results they share."""

from typing import Final

from kascribe.process.log_events.event import LogEvent

JOBS: Final = (
    LogEvent(
        name="job completed",
        level="info",
        fields=("reused", "transcript_uri", "results_uri", "seconds"),
        meaning="A transcript or an enrichment is stored and goes out as an event.",
    ),
    LogEvent(
        name="job completed by another record",
        level="info",
        fields=("origin", "owner"),
        meaning="The same job was requested twice; the record named as owner publishes the result.",
    ),
    LogEvent(
        name="job cancelled",
        level="info",
        fields=("origin",),
        meaning="Every caller of the job cancelled it, so its work was stopped or not begun.",
    ),
    LogEvent(
        name="nothing to transcribe",
        level="debug",
        fields=("origin", "forwarded"),
        meaning="A notification of a bucket that creates no audio, or several, which were forwarded.",
    ),
    LogEvent(
        name="no enrichment requested",
        level="debug",
        fields=("job_id",),
        meaning="The transcript asks for none.",
    ),
    LogEvent(
        name="enrichment misses parts of the transcript",
        level="warning",
        fields=("profile", "coverage", "truncated"),
        meaning="A result is published although the model did not process all of the transcript.",
        action="Use a model with a larger context, or a server with more room.",
        alert="when it lasts",
    ),
    LogEvent(
        name="cancellation matches no job in flight",
        level="info",
        fields=("job_ids", "reference_event_ids"),
        meaning="The job is in flight in another process, is finished, or arrives later.",
    ),
    LogEvent(
        name="cancellation cannot be decoded",
        level="warning",
        fields=("record", "error"),
        meaning="A record on the topic of cancellations is none.",
        action="Repair the program that sends it.",
    ),
    LogEvent(
        name="notes not read",
        level="debug",
        fields=("error",),
        cause=("error",),
        meaning="Notes that the enricher keeps between attempts are made again.",
    ),
    LogEvent(
        name="notes not kept",
        level="debug",
        fields=("error",),
        cause=("error",),
        meaning="As *notes not read*.",
    ),
    LogEvent(
        name="model is warm",
        level="info",
        fields=("model", "device", "compute_type"),
        meaning="The transcriber's model is loaded and has run full batches.",
    ),
    LogEvent(
        name="running on the CPU, many times slower than on the GPU",
        level="warning",
        fields=("error",),
        meaning="There is a GPU, and it cannot be used.",
        action="Do what `error` says, or set KASCRIBE_WHISPER_DEVICE.",
        alert="yes",
    ),
    LogEvent(
        name="request to a language model server failed; it is sent again",
        level="warning",
        fields=("error",),
        cause=("error",),
        meaning="A request to vLLM failed; it goes to the next server, or to the same one after a pause.",
        action="Lasting ones: see `error`, and the server's log.",
        alert="when it lasts",
    ),
    LogEvent(
        name="answer of the model is not valid",
        level="info",
        fields=("question", "error"),
        meaning="The answer does not fit its schema, so the model is asked again a few times.",
        action="Frequent ones: use a model that follows instructions better.",
    ),
    LogEvent(
        name="batch did not fit into the device's memory; halved",
        level="warning",
        fields=("rows",),
        cause=(),
        meaning="The device ran out of memory. Both halves run, and batches stay smaller for a while.",
        action="Frequent ones: give the device's memory to this process alone, or set a smaller batch.",
        alert="when it lasts",
    ),
    LogEvent(
        name="batch failed; its rows run one by one",
        level="warning",
        fields=("rows", "error"),
        cause=("error",),
        meaning="A call of the model failed. A row that fails alone fails only its own record.",
        action="Lasting ones: look at the GPU, and report the error.",
        alert="when it lasts",
    ),
    LogEvent(
        name="decoders are confined",
        level="info",
        fields=("seccomp", "landlock_version"),
        meaning="The kernel enforces the decoders' whole sandbox (`docs/sandbox.md`).",
    ),
    LogEvent(
        name="decoders are not fully confined",
        level="warning",
        fields=("why", "seccomp", "landlock_version"),
        meaning="The kernel or the container lacks a part of what confines decoders.",
        action="Do what `why` says.",
        alert="yes",
    ),
    LogEvent(
        name="decoders are not confined",
        level="warning",
        fields=("why",),
        meaning="KASCRIBE_WHISPER_DECODER_SANDBOX is off: media that takes over a decoder has this user's rights.",
        action="Leave it on, unless the process is confined from outside.",
        alert="yes",
    ),
    LogEvent(
        name="this process's memory cannot be hidden from decoders",
        level="warning",
        fields=("error",),
        meaning="The kernel cannot confine decoders, nor keep them from this process's memory.",
        action="Allow seccomp or Landlock; `docs/sandbox.md` names their system calls.",
        alert="yes",
    ),
    LogEvent(
        name="stored transcript is of another release; the audio is transcribed again",
        level="info",
        fields=("error",),
        meaning="The bucket holds a transcript of the same audio that this release cannot read.",
    ),
    LogEvent(
        name="download of a model was interrupted; it continues",
        level="warning",
        fields=("file", "error"),
        meaning="The hub or a mirror broke off; the download continues after a pause, where it was.",
        action="Lasting ones: see `error`; or pull the model elsewhere, and copy the folder of models.",
    ),
)

WEBHOOKS: Final = (
    LogEvent(
        name="webhook delivered",
        level="info",
        fields=("host", "type", "attempt"),
        meaning="The receiver took an event. Its URL is not logged, since it may hold secrets.",
    ),
    LogEvent(
        name="no webhook is set any more, event left out",
        level="info",
        fields=("event_id",),
        meaning="The tenant's webhook was removed while its event waited.",
    ),
    LogEvent(
        name="event not understood, so no webhook tells of it",
        level="warning",
        fields=("error",),
        meaning="A record on a topic of answers is none that this release reads.",
        action="Upgrade the notifier before the roles that publish.",
        alert="when it lasts",
    ),
)

ARCHIVE: Final = (
    LogEvent(
        name="record is not archived",
        level="warning",
        fields=("record", "why"),
        meaning="The archive cannot read a record, or its database refuses it; lists lack it.",
        action="See `why`. An upgrade of the archive may read it; the database is filled again then.",
        alert="when it lasts",
    ),
    LogEvent(
        name="filling the archive from the bucket",
        level="info",
        fields=("after",),
        meaning="A new database reads all results; `after` is where an interrupted run continues.",
    ),
    LogEvent(
        name="the archive is filled from the bucket",
        level="info",
        fields=("objects",),
        meaning="The end of *filling the archive from the bucket*.",
    ),
    LogEvent(
        name="object is not read: it is of another release, or damaged",
        level="warning",
        fields=("key",),
        meaning="A result in the bucket is none that this release reads.",
        action="Look at the object; after an upgrade, remove the archive's database to fill it again.",
    ),
    LogEvent(
        name="address is not below the results, nothing is fetched",
        level="warning",
        fields=("uri",),
        meaning="An event names a result outside of this deployment's folder.",
        action="Find the program that published it.",
    ),
    LogEvent(
        name="object may not be read",
        level="warning",
        fields=("error",),
        cause=("error",),
        meaning="The archive's credentials do not allow it to read a result.",
        action="Allow s3:GetObject below the results.",
        alert="when it lasts",
    ),
)

RECONCILER: Final = (
    LogEvent(
        name="not everything could be reconciled; the next run tries again",
        level="warning",
        fields=("problem",),
        meaning="The reconciler met a problem that it did not have before.",
        action="See `problem`.",
        alert="when it lasts",
    ),
    LogEvent(
        name="everything could be reconciled again",
        level="info",
        meaning="The end of *not everything could be reconciled; the next run tries again*.",
    ),
    LogEvent(
        name="metadata cannot be read",
        level="warning",
        fields=("bucket", "key"),
        meaning="The reconciler may not read an object's metadata, so it does not request it.",
        action="Allow s3:GetObject on the watched folder.",
    ),
)

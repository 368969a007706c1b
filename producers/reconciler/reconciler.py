"""One run over buckets: see the package for its steps. Memory is bounded by a batch, whatever the buckets hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from producers.reconciler.drops import Drop, StoredObject, drop_of
from producers.reconciler.listing import DropBucket
from producers.reconciler.notes import NO_NOTES, JobNotes, KnownJobs, Standing
from producers.reconciler.ports import Broker, Cancellations, OpenBroker
from producers.reconciler.settled import SettledObjects
from producers.reconciler.tally import Outcome, Tally
from producers.results import ResultStore
from schemas.clock import Clock
from schemas.errors import DependencyDown
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.notifications import is_own_object
from schemas.object_addresses import S3
from schemas.results import AcceptedJob
from schemas.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BATCH_OBJECTS: Final = 20_000
"""Objects that are looked up together: 30 MB, and at most one listing of all notes for each batch."""

CHUNK_OBJECTS: Final = 500
"""Objects that are looked up, or published and noted, between two looks at whether to stop."""

CONNECTIONS: Final = 16

Item = TypeVar("Item")
Tell = Callable[[Drop, Outcome], None]

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run requests. ``lost_after``: the age from which an accepted job without any end counts as lost."""

    min_age: timedelta
    lost_after: timedelta | None = None
    is_dry: bool = False


@dataclass(slots=True)
class Report:
    """What a run found and did, and the buckets that could not be searched."""

    tally: Tally = field(default_factory=Tally)
    problems: list[str] = field(default_factory=list)
    is_stopped: bool = False


class Reconciler:
    """Searches buckets for objects without a job. For one thread; two of them at once do no harm."""

    def __init__(
        self,
        settings: S3Settings,
        client: "S3Client",
        *,
        topics: Topics,
        rules: Rules,
        clock: Clock,
        open_broker: OpenBroker,
    ) -> None:
        self.settings = settings
        self.client = client
        self.topics = topics
        self.rules = rules
        self.clock = clock
        self.open_broker = open_broker
        self.known = KnownJobs.of(settings, client)
        self.results = ResultStore(settings, client=client)
        self.settled = SettledObjects()

    def run(
        self, buckets: Sequence[str], prefix: str, *, stopped: Callable[[], bool], tell: Tell | None = None
    ) -> Report:
        """Search the buckets and request what is missing. Blocks; safe to repeat, and to interrupt anywhere.

        ``stopped`` ends the run after what is being requested; it is called often, which shows that the run goes
        on. ``tell`` is called for each object that is requested or withheld. A bucket that cannot be searched is a
        problem of the report. Raises DependencyDown, NotDelivered and ConfigurationError when the broker does not
        take requests.
        """
        report = Report()
        with ExitStack() as resources:
            executor = resources.enter_context(ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="reconcile"))
            search = _Search(self, executor, resources, report, stopped, tell or _tell_nobody)
            for bucket in buckets:
                try:
                    search.bucket(bucket, prefix)
                except DependencyDown as error:
                    if error.dependency != S3:
                        raise
                    report.problems.append(str(error))
        report.is_stopped = stopped()
        if not report.problems and not report.is_stopped:
            self.settled.complete()
        return report


@dataclass(slots=True)
class _Search:
    """The state of one run."""

    of: Reconciler
    executor: Executor
    resources: ExitStack
    report: Report
    stopped: Callable[[], bool]
    tell: Tell
    _broker: Broker | None = None
    _cancellations: Cancellations | None = None

    def bucket(self, name: str, prefix: str) -> None:
        """Search one bucket. Raises as ``Reconciler.run`` does."""
        pages = DropBucket(self.of.client, name, _own_folders(name, self.of.settings)).pages(prefix)
        batch: list[StoredObject] = []
        for page in pages:
            self.report.tally.add(Outcome.GONE, page.gone)
            batch += self._unsettled(page.objects)
            if len(batch) >= BATCH_OBJECTS:
                self._reconcile(batch)
                batch = []
            if self.stopped():
                return
        self._reconcile(batch)

    def _unsettled(self, listed: Sequence[StoredObject]) -> list[StoredObject]:
        """Return the objects that may lack a job, and count the others."""
        young_from = self.of.clock.now() - self.of.rules.min_age
        unsettled = []
        for found in listed:
            if is_own_object(found.bucket, found.key, self.of.settings):
                self.report.tally.add(Outcome.OWN)
            elif found.key.endswith("/"):
                self.report.tally.add(Outcome.FOLDER)
            elif found.modified_at > young_from:
                self.report.tally.add(Outcome.TOO_YOUNG)
            elif self.of.settled.includes(found):
                self.report.tally.add(Outcome.KNOWN)
            else:
                unsettled.append(found)
        return unsettled

    def _reconcile(self, batch: list[StoredObject]) -> None:
        by_default = {found: found.default_job_id for found in batch}
        notes = dict(self.of.known.notes(by_default.values()))
        doubtful = [
            found
            for found, job_id in by_default.items()
            if not notes.get(job_id, NO_NOTES).are_since(found.modified_at)
            or self._is_missing(found, notes.get(job_id, NO_NOTES))
        ]
        drops: list[Drop] = []
        for chunk in _chunks(doubtful):
            if self.stopped():
                return
            drops += self._looked_up(chunk)
        notes |= self.of.known.notes({drop.job_id for drop in drops}.difference(by_default.values()))
        missing: dict[str, Drop] = {}
        for drop in drops:
            if self._is_missing(drop.found, notes.get(drop.job_id, NO_NOTES)):
                missing.setdefault(drop.job_id, drop)  # objects with the same key of their caller's are one job
        known = len(batch) - len(doubtful) + len(drops) - len(missing)
        self.report.tally.add(Outcome.KNOWN, known)
        for requests in _chunks([*missing.values()]):
            if self.stopped():
                return
            self._request(requests, notes)

    def _is_missing(self, found: StoredObject, notes: JobNotes) -> bool:
        """Return whether the job of an object still has to be requested."""
        lost_after = self.of.rules.lost_after
        lost_before = None if lost_after is None else self.of.clock.now() - lost_after
        standing = notes.standing(modified_at=found.modified_at, lost_before=lost_before)
        if standing is Standing.ENDED:
            self.of.settled.add(found)
        return standing is Standing.UNKNOWN

    def _looked_up(self, chunk: Sequence[StoredObject]) -> list[Drop]:
        """Return the drops of objects, and count those without readable metadata."""
        looked_up = [*self.executor.map(self._look_up, chunk)]
        self.report.tally.add_each(each for each in looked_up if isinstance(each, Outcome))
        return [each for each in looked_up if isinstance(each, Drop)]

    def _look_up(self, found: StoredObject) -> Drop | Outcome:
        try:
            reported = DropBucket(self.of.client, found.bucket).metadata(found)
        except PermissionError:
            _log.warning("metadata cannot be read", bucket=found.bucket, key=found.key)
            return Outcome.UNREADABLE
        return Outcome.GONE if reported is None else drop_of(found, reported)

    def _request(self, chunk: Sequence[Drop], notes: Mapping[str, JobNotes]) -> None:
        """Publish what was not cancelled, then note all of it as accepted."""
        outcomes = {drop.job_id: self._outcome(drop) for drop in chunk}
        if not self.of.rules.is_dry:
            wanted = [drop for drop in chunk if outcomes[drop.job_id] is not Outcome.WITHHELD]
            self._connected().publish([drop.record(self.of.topics, Trace.start()) for drop in wanted])
            list(self.executor.map(lambda drop: self._note(drop, outcomes, notes), chunk))
        for drop in chunk:
            self.tell(drop, outcomes[drop.job_id])
        self.report.tally.add_each(outcomes.values())

    def _outcome(self, drop: Drop) -> Outcome:
        if self._cancellations is None:
            self._cancellations = self._connected().cancellations()
        reference = drop.reference
        if self._cancellations.is_cancelled(
            drop.job_id, requested_at=reference.occurred_at, event_id=reference.event_id
        ):
            return Outcome.WITHHELD
        return Outcome.REFUSED if drop.is_refused else Outcome.PUBLISHED

    def _note(self, drop: Drop, outcomes: Mapping[str, Outcome], notes: Mapping[str, JobNotes]) -> None:
        is_withheld = outcomes[drop.job_id] is Outcome.WITHHELD
        accepted = AcceptedJob(
            job_id=drop.job_id,
            tenant=drop.reference.tenant,
            # The events of a cancelled job are older than this run, and tell how it stands.
            accepted_at=drop.found.modified_at if is_withheld else self.of.clock.now(),
            reference=drop.reference,
        )
        before = notes.get(drop.job_id, NO_NOTES)
        if is_withheld or (before.accepted_at is None and before.failed_at is None):
            self.of.results.claim_accepted(accepted)
        else:
            self.of.results.renew_accepted(accepted)

    def _connected(self) -> Broker:
        if self._broker is None:
            self._broker = self.resources.enter_context(self.of.open_broker())
        return self._broker


def _own_folders(bucket: str, settings: S3Settings) -> tuple[str, ...]:
    folders = (settings.results_prefix, settings.uploads_prefix)
    return tuple(folder for folder in folders if is_own_object(bucket, folder, settings))


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK_OBJECTS):
        yield items[start : start + CHUNK_OBJECTS]


def _tell_nobody(_drop: Drop, _outcome: Outcome) -> None:
    pass

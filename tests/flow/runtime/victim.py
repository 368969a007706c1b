"""A consumer process that tests may kill: ``python -m tests.flow.runtime.victim SERVERS [FIELD=VALUE ...]``.

The fields are those of RuntimeSettings, ``protocol``, the topics' ``prefix``, and with a dot in their names
properties of the client; ``dies=delivered`` kills it when its first outputs are there and nothing is committed;
``fault`` names an outbox of ``tests.chaos.delivery.planted``.
SIGTERM drains.
"""

import os
import signal
import sys
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.runtime import Runtime
from kascribe.wiring.consumer import opened_outbox
from producers.outbox import AtLeastOnceOutbox
from schemas.kafka.delivery import Batch, Delivery
from tests.chaos.delivery.planted import PLANTED
from tests.flow.running import settings_for
from tests.flow.stages import OUTPUT, TOPIC, CommandStage


class LastOutbox(AtLeastOnceOutbox):
    """An outbox that kills its process once the broker has outputs, before their owner's callback."""

    def submit(self, batch: Batch, on_delivered: Callable[[Delivery], None]) -> bool:
        """Submit as usual; kill the process on delivery."""

        def stop_on_delivery(delivery: Delivery) -> None:
            if delivery.batch.outputs:
                os.kill(os.getpid(), signal.SIGKILL)
            on_delivered(delivery)

        return super().submit(batch, stop_on_delivery)


def main() -> None:
    """Run until stopped or killed."""
    servers, *pairs = sys.argv[1:]
    fields = dict(pair.split("=", 1) for pair in pairs)
    properties = {name: fields.pop(name) for name in list(fields) if "." in name}
    prefix, protocol = fields.pop("prefix", ""), fields.pop("protocol", "consumer")
    dies, fault = fields.pop("dies", "") == "delivered", fields.pop("fault", "")
    settings = settings_for(servers, protocol=protocol, group_prefix=prefix, properties=properties, **fields)
    stage = CommandStage(topics=(f"{prefix}{TOPIC}",), output=f"{prefix}{OUTPUT}")
    outbox = LastOutbox(settings.kafka) if dies else opened_outbox(stage.name, settings)
    if fault:
        outbox.close(timeout_seconds=0)
        name = f"{prefix}{properties.get('group.instance.id', os.getpid())}"
        outbox = PLANTED[fault](settings.kafka, group_id=f"{prefix}{stage.name}", transactional_id=name)
    runtime = Runtime(stage=stage, outbox=outbox, settings=settings, metrics=Metrics(CollectorRegistry()))
    signal.signal(signal.SIGTERM, lambda *_: runtime.stop())
    runtime.run()
    outbox.close(timeout_seconds=5)


if __name__ == "__main__":
    main()

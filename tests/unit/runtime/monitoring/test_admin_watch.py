"""The thread that polls the broker with a client of its own."""

from confluent_kafka.admin import AdminClient

from consumers.runtime.monitoring.admin_watch import AdminWatch
from schemas.settings import KafkaSettings
from tests.support.waiting import eventually


class _Watch(AdminWatch):
    """A watch that finds a request open in every third poll, and notes the clients that it is given."""

    def __init__(self) -> None:
        settings = KafkaSettings(bootstrap_servers="127.0.0.1:9", properties={"log_level": "0"})
        super().__init__(settings, client_role="test", thread_name="test-watch", interval_seconds=0.001)
        self.clients: list[AdminClient] = []

    def poll_once(self, client: AdminClient) -> bool:
        """Note the client."""
        self.clients.append(client)
        return len(self.clients) % 3 != 0


def test_a_client_is_kept_until_a_request_of_it_stays_open() -> None:
    """Then it is closed, which cancels the request, and the next poll gets a new one."""
    watch = _Watch()
    watch.start()
    eventually(lambda: len(watch.clients) >= 7, timeout_seconds=30, what="polls")
    watch.stop()
    first, *later = watch.clients
    assert [client is first for client in later[:3]] == [True, True, False]
    assert later[2] is later[3] is later[4]
    assert later[5] is not later[2]

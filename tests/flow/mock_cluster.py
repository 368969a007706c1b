"""librdkafka's mock cluster, driven through ctypes: a broker in this process, for tests alone.

The ``rd_kafka_mock_*`` functions are exported by the library inside the wheel, without any promise to stay:
this module is the only one that calls them. What the mock cannot do (measured on librdkafka 2.16.0): isolate
transactions, store transactional offsets, fence, create topics through the admin client.
"""

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import confluent_kafka

_PRODUCER: Final = 0
_ERROR_CHARACTERS: Final = 512


def load_library() -> ctypes.CDLL:
    """Load the library inside the wheel, with the calls that the mock cluster needs declared."""
    directory = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    (path,) = directory.glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    library.rd_kafka_conf_set.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    for name in ("session_timeout_ms", "heartbeat_interval_ms"):
        setter = getattr(library, f"rd_kafka_mock_set_group_consumer_{name}")
        setter.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_broker_set_down.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    library.rd_kafka_mock_broker_set_up.argtypes = [ctypes.c_void_p, ctypes.c_int32]
    library.rd_kafka_mock_broker_set_rtt.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int]
    library.rd_kafka_mock_push_request_errors_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int16,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_int),
    ]
    return library


class MockCluster:
    """Brokers on loopback that live as long as this object. Topics must be created before they are used."""

    def __init__(self, *, brokers: int = 1) -> None:
        self._library = load_library()
        error = ctypes.create_string_buffer(_ERROR_CHARACTERS)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", error, _ERROR_CHARACTERS)
        self._handle = self._library.rd_kafka_new(_PRODUCER, configuration, error, _ERROR_CHARACTERS)
        if not self._handle:
            raise RuntimeError(f"the mock cluster's handle could not be made: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        # Every classic join would wait for the default of 3 s.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)
        # The broker removes a killed member after the session timeout: 45 s by default.
        self._library.rd_kafka_mock_set_group_consumer_session_timeout_ms(self._cluster, 1_500)
        self._library.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self._cluster, 300)
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create_topic(self, topic: str, *, partitions: int = 1) -> None:
        """Create a topic. Raises RuntimeError when it exists."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        if code:
            raise RuntimeError(f"the mock cluster refused topic {topic}: error {code}")

    def stop_broker(self, broker: int = 1) -> None:
        """Drop connections and refuse new ones until start_broker."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def start_broker(self, broker: int = 1) -> None:
        """Accept connections again after stop_broker."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def delay_answers(self, milliseconds: int, broker: int = 1) -> None:
        """Delay every answer by this long from now on; 0 ends the delay."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds)

    def fail_next(self, api_key: int, *error_codes: int) -> None:
        """Fail the next requests of a kind with these errors, one each. Produce 0, Fetch 1, OffsetCommit 8."""
        codes = (ctypes.c_int * len(error_codes))(*error_codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(error_codes), codes)

    def close(self) -> None:
        """Stop the brokers. Clients that are still connected log errors from here on."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

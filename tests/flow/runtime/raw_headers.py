"""Records with headers that confluent-kafka cannot produce: their names are any bytes, as Kafka allows."""

import ctypes
from typing import Final

from tests.flow.mock_cluster import load_library

_PRODUCER: Final = 0
_ERROR_CHARACTERS: Final = 512
_FLUSH_MS: Final = 10_000
_TOPIC, _VALUE, _HEADER = 1, 4, 9
"""``rd_kafka_vtype_t``."""


class _Bytes(ctypes.Structure):
    _fields_ = (("pointer", ctypes.c_char_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("size", ctypes.c_ssize_t))


class _Union(ctypes.Union):
    _fields_ = (("text", ctypes.c_char_p), ("bytes", _Bytes), ("header", _Header), ("pad", ctypes.c_char * 64))


class _Argument(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("union", _Union))


def send_with_header(bootstrap_servers: str, topic: str, value: bytes, *, name: bytes) -> None:
    """Publish one record that has one header. Blocks until the broker has it."""
    library = load_library()
    library.rd_kafka_produceva.restype = ctypes.c_void_p
    library.rd_kafka_produceva.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    library.rd_kafka_flush.argtypes = [ctypes.c_void_p, ctypes.c_int]
    error = ctypes.create_string_buffer(_ERROR_CHARACTERS)
    configuration = library.rd_kafka_conf_new()
    for setting, text in ((b"bootstrap.servers", bootstrap_servers.encode()), (b"log_level", b"0")):
        library.rd_kafka_conf_set(configuration, setting, text, error, _ERROR_CHARACTERS)
    producer = library.rd_kafka_new(_PRODUCER, configuration, error, _ERROR_CHARACTERS)
    arguments = (_Argument * 3)()
    arguments[0].kind, arguments[0].union.text = _TOPIC, topic.encode()
    arguments[1].kind, arguments[1].union.bytes = _VALUE, _Bytes(value, len(value))
    arguments[2].kind, arguments[2].union.header = _HEADER, _Header(name, b"x", 1)
    refused = library.rd_kafka_produceva(producer, arguments, len(arguments))
    unsent = library.rd_kafka_flush(producer, _FLUSH_MS)
    library.rd_kafka_destroy(producer)
    assert not refused, "librdkafka refused the record"
    assert not unsent, "the broker did not take the record"

"""Brokers, and how clients authenticate there, as the AsyncAPI document describes them.

Which broker a deployment uses is a setting, so the addresses are variables.
"""

from typing import Any, Final

_BOOTSTRAP: Final = {
    "bootstrapServer": {
        "description": "A broker of the cluster: KASCRIBE_KAFKA_BOOTSTRAP_SERVERS.",
        "default": "localhost:9092",
        "examples": ["localhost:9092", "kafka:9092"],
    }
}

SECURITY_SCHEMES: Final[dict[str, dict[str, str]]] = {
    "scramSha512": {
        "type": "scramSha512",
        "description": "KASCRIBE_KAFKA_SASL_MECHANISM=SCRAM-SHA-512, with KASCRIBE_KAFKA_SASL_USERNAME and "
        "KASCRIBE_KAFKA_SASL_PASSWORD_FILE.",
    },
    "scramSha256": {"type": "scramSha256", "description": "KASCRIBE_KAFKA_SASL_MECHANISM=SCRAM-SHA-256."},
    "plain": {"type": "plain", "description": "KASCRIBE_KAFKA_SASL_MECHANISM=PLAIN: over TLS only."},
    "mutualTls": {
        "type": "X509",
        "description": "A client certificate: KASCRIBE_KAFKA_SSL_CERTIFICATE_LOCATION and "
        "KASCRIBE_KAFKA_SSL_KEY_LOCATION.",
    },
}

SERVERS: Final[dict[str, dict[str, Any]]] = {
    "kafka": {
        "host": "{bootstrapServer}",
        "protocol": "kafka",
        "title": "Kafka",
        "description": "A broker in a network that is trusted, without authentication.",
        "variables": _BOOTSTRAP,
    },
    "kafkaSecure": {
        "host": "{bootstrapServer}",
        "protocol": "kafka-secure",
        "title": "Kafka over TLS",
        "description": "KASCRIBE_KAFKA_SECURITY_PROTOCOL=SASL_SSL, or SSL with a client certificate; the "
        "authority is KASCRIBE_KAFKA_SSL_CA_LOCATION. One of the ways to authenticate is needed.",
        "variables": _BOOTSTRAP,
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SECURITY_SCHEMES],
    },
}

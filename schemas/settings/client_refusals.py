"""Messages for the user when a client library rejects its settings. Pure: imports no client."""

import re
from typing import Final

from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings, S3Settings
from schemas.settings.catalogue import property_environment_name, without_credentials

_CLIENT_KIND: Final = re.compile(r"^Failed to create [a-z ]+: ")


def kafka_refusal(sentence: str, settings: KafkaSettings) -> ConfigurationError:
    """Translate librdkafka's ``sentence``: name the user's properties that it mentions, or else all of them."""
    sentence = _CLIENT_KIND.sub("", sentence.strip())
    given = sorted(settings.properties)
    named = [name for name in given if _mentions(sentence, name)] or given
    variables = " and ".join(map(property_environment_name, named)) or "the settings of Kafka"
    return ConfigurationError(f"librdkafka refuses {variables}: {sentence}")


def s3_refusal(error: Exception, settings: S3Settings) -> ConfigurationError:
    """Translate botocore's ``error``, raised while a client was created: an address, region, profile or file."""
    if isinstance(error, ValueError) and settings.endpoint_url is not None:
        return ConfigurationError(
            f"KASCRIBE_S3_ENDPOINT_URL is {without_credentials(settings.endpoint_url)}, where no object store can "
            "be: write http://host:port, with a host name of letters, digits, dots and hyphens (no underscore)"
        )
    return ConfigurationError(
        f"no S3 client can be made: {str(error).rstrip('.')}. Check KASCRIBE_S3_REGION, AWS_PROFILE and the files "
        "of AWS"
    )


def _mentions(sentence: str, name: str) -> bool:
    # librdkafka also writes a property's name as words: "SASL mechanism" is sasl.mechanism.
    words = r"[. ]".join(map(re.escape, name.split(".")))
    return re.search(rf"(?<![\w.]){words}(?!\w|\.\w)", sentence, re.IGNORECASE) is not None

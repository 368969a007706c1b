"""What a user is told when a client library refuses the settings that it is made with. Pure: no client is here."""

import re

from schemas.catalogue import property_environment_name, without_credentials
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings, S3Settings

_CLIENT_KIND = re.compile(r"^Failed to create [a-z ]+: ")


def kafka_refusal(sentence: str, settings: KafkaSettings) -> ConfigurationError:
    """``sentence`` is librdkafka's. Names the user's properties that it speaks of, or else all of them."""
    sentence = _CLIENT_KIND.sub("", sentence.strip())
    given = sorted(settings.properties)
    named = [name for name in given if _speaks_of(sentence, name)] or given
    variables = " and ".join(map(property_environment_name, named)) or "the settings of Kafka"
    return ConfigurationError(f"librdkafka refuses {variables}: {sentence}")


def s3_refusal(error: Exception, settings: S3Settings) -> ConfigurationError:
    """``error`` is botocore's, raised while a client was made: of an address, a region, a profile or a file."""
    if isinstance(error, ValueError) and settings.endpoint_url is not None:
        return ConfigurationError(
            f"KASCRIBE_S3_ENDPOINT_URL is {without_credentials(settings.endpoint_url)}, where no object store can "
            "be: write http://host:port, with a host's name of letters, digits, dots and hyphens (no underscore)"
        )
    return ConfigurationError(
        f"no S3 client can be made: {str(error).rstrip('.')}. Check KASCRIBE_S3_REGION, AWS_PROFILE and the files "
        "of AWS"
    )


def _speaks_of(sentence: str, name: str) -> bool:
    # librdkafka also writes a property's name as words: "SASL mechanism" is sasl.mechanism.
    words = r"[. ]".join(map(re.escape, name.split(".")))
    return re.search(rf"(?<![\w.]){words}(?!\w|\.\w)", sentence, re.IGNORECASE) is not None

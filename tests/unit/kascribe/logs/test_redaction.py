"""No line shows a secret, wherever it stands."""

import io
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog
from botocore.exceptions import EndpointConnectionError
from pydantic import SecretStr

from kascribe.process.logs import configure_logs
from kascribe.process.redaction import REDACTED, Redaction, secrets_in
from schemas.settings import KafkaSettings, LogSettings, Settings, VllmSettings
from schemas.settings.tracing import TracingSettings
from schemas.settings.webhooks import WebhooksSettings

PLANTED = 'pl4nted"Secret/+='


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where lines go; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://me:hunter2@host/path", f"GET http://{REDACTED}@host/path"),
        (
            "get https://s3.example/b/k?X-Amz-Credential=AK&X-Amz-Signature=abc failed",
            f"get https://s3.example/b/k?{REDACTED} failed",
        ),
        ("posting to https://hooks.example/in?token=abc", f"posting to https://hooks.example/in?{REDACTED}"),
        ("/b/k?X-Amz-Signature=abc&x=1", f"/b/k?X-Amz-Signature={REDACTED}&x=1"),
        ("{'Authorization': 'Bearer abcdef123456'}", f"{{'Authorization': 'Bearer {REDACTED}'}}"),
        ("the key kas_0123456789abcdef is revoked", f"the key kas_{REDACTED} is revoked"),
        ("sasl.password=abc, sasl.username=me", f"sasl.password={REDACTED}, sasl.username=me"),
        (
            "Input should be 1 [type=literal, input_value='what they\nsaid, all of it', input_type=str]",
            f"Input should be 1 [type=literal, input_value={REDACTED}, input_type=str]",
        ),
        ("s3://audio/call.wav?versionId=3", "s3://audio/call.wav?versionId=3"),
        ("is the server at http://host:8000?", "is the server at http://host:8000?"),
        ("KASCRIBE_KAFKA_SASL_PASSWORD_FILE is not set", "KASCRIBE_KAFKA_SASL_PASSWORD_FILE is not set"),
    ],
)
def test_secrets_are_recognised_by_their_form_and_nothing_else_is_lost(text: str, shown: str) -> None:
    """Presigned addresses, webhooks' queries, headers, our own keys; what to do stays readable."""
    assert Redaction().text(text) == shown


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_process_s_own_secrets_are_removed_by_their_values(stream: io.StringIO, form: str) -> None:
    """In messages, fields, exceptions and their causes, whatever the secret's characters."""
    settings = Settings(
        kafka=KafkaSettings(properties={"sasl.password": SecretStr(PLANTED)}),
        vllm=VllmSettings(api_key=SecretStr("another-planted")),
    )
    secrets = secrets_in(settings, {"AWS_SECRET_ACCESS_KEY": "the-third-planted", "HF_TOKEN": ""})
    assert secrets == {PLANTED, "another-planted", "the-third-planted"}
    configure_logs(LogSettings.model_validate({"format": form, "level": "debug"}), stream=stream, secrets=secrets)
    try:
        try:
            raise ValueError(f"signing with {PLANTED}")  # noqa: TRY301
        except ValueError as cause:
            raise KeyError("another-planted") from cause
    except KeyError:
        structlog.get_logger().exception("failed", nested={"the-third-planted": [PLANTED]}, of=object())
    logging.getLogger("botocore").warning("refused: %s", PLANTED)
    assert "failed" in stream.getvalue()
    for secret in (*secrets, json.dumps(PLANTED)[1:-1]):
        assert secret not in stream.getvalue()


def test_names_of_users_and_protocols_are_no_secrets() -> None:
    """Every librdkafka property is kept as a secret, and few are one."""
    properties = {
        "sasl.username": "kascribe",
        "security.protocol": "SASL_SSL",
        "client.rack": "rack-1",
        "sasl.password": PLANTED,
        "ssl.key.password": "another-planted",
    }
    settings = Settings(kafka=KafkaSettings(properties={key: SecretStr(each) for key, each in properties.items()}))
    assert secrets_in(settings, {}) >= {PLANTED, "another-planted"}
    shown = Redaction(secrets_in(settings, {})).text(f"kascribe over SASL_SSL in rack-1 with {PLANTED}")
    assert shown == f"kascribe over SASL_SSL in rack-1 with {REDACTED}"


def test_what_is_sent_of_a_secret_with_parts_is_one_as_well() -> None:
    """A header decoded, a token without its scheme, and each of two keys of webhooks."""
    keys = ("whsec_" + "QUJD" * 8, "whsec_" + "REVG" * 8)
    settings = Settings(
        tracing=TracingSettings(headers=SecretStr("authorization=Bearer%20pl4nted%3Done,x-team=pl4nted%2Ftwo")),
        webhooks=WebhooksSettings(secret=SecretStr(" ".join(keys))),
    )
    redaction = Redaction(secrets_in(settings, {}))
    for secret in ("Bearer pl4nted=one", "pl4nted=one", "pl4nted/two", *keys):
        assert redaction.text(f"refused: <{secret}>") == f"refused: <{REDACTED}>"


def test_errors_of_the_libraries_that_speak_http_show_no_query(stream: io.StringIO) -> None:
    """Both put the whole address into their messages."""
    configure_logs(LogSettings(format="json"), stream=stream)
    url = "https://s3.example/audio/call.wav?X-Amz-Signature=0123abcd"
    errors = [
        EndpointConnectionError(endpoint_url=url),
        httpx.HTTPStatusError(f"404 for {url}", request=httpx.Request("GET", url), response=httpx.Response(404)),
    ]
    for error in errors:
        structlog.get_logger().error("failed", error=str(error), exc_info=error)
    assert stream.getvalue().count("s3.example/audio/call.wav") >= 4
    assert "0123abcd" not in stream.getvalue()

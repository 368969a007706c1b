"""Reading the settings: what beats what, and what is said when something is wrong."""

import re
from pathlib import Path

import pytest

from kascribe.configuration.reading import describe
from kascribe.documents.environment_file import environment_file
from schemas.settings import Settings
from schemas.settings.catalogue import settings
from tests.support.settings_sources import loaded, shown


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_given_gives_the_defaults() -> None:
    """An empty machine runs with what schemas/settings says."""
    assert loaded().settings == Settings()
    assert loaded().provenance == {}


def test_each_source_beats_the_ones_before_it() -> None:
    """Defaults, foreign names, TOML, .env, environment, command line: the later wins."""
    environment = {"WHISPER_DEVICE": "cpu"}
    assert shown(loaded(environment))["whisper.device"] == ("cpu", "WHISPER_DEVICE")
    Path("kascribe.toml").write_text('[whisper]\ndevice = "cuda"\n', encoding="utf-8")
    assert shown(loaded(environment))["whisper.device"] == ("cuda", "whisper.device in kascribe.toml")
    Path(".env").write_text("KASCRIBE_WHISPER_DEVICE=auto\n", encoding="utf-8")
    assert shown(loaded(environment))["whisper.device"] == ("auto", "KASCRIBE_WHISPER_DEVICE in .env")
    environment["KASCRIBE_WHISPER_DEVICE"] = "cuda"
    assert shown(loaded(environment))["whisper.device"] == ("cuda", "KASCRIBE_WHISPER_DEVICE")
    assert shown(loaded(environment, whisper__device="cpu"))["whisper.device"] == (
        "cpu",
        "whisper.device on the command line",
    )
    assert shown(loaded(environment, whisper__device=None))["whisper.device"][0] == "cuda"


def test_every_setting_can_be_given_in_the_environment() -> None:
    """Each setting's default, written as text under its environment name, reads back as the default."""
    names = {row.environment_name: row.value for row in describe(loaded()) if row.value}
    assert loaded(names).settings == Settings()
    assert len(names) > 30


def test_lists_are_split_at_commas() -> None:
    """A list is written with commas, with or without spaces."""
    result = loaded(
        {"KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS": "5, 30", "KASCRIBE_VLLM_PROFILES": "summary"}
    ).settings
    assert result.runtime.retry_delays_seconds == (5, 30)
    assert result.vllm.profiles == ("summary",)


def test_an_empty_value_counts_as_not_given() -> None:
    """A compose file that passes an unset variable on gives the default."""
    assert loaded({"KASCRIBE_WHISPER_DEVICE": "", "KASCRIBE_KAFKA_SASL_USERNAME": ""}).settings == Settings()


def test_what_kubernetes_says_of_services_is_not_taken_for_settings() -> None:
    """A service that is called kascribe-gateway does not set the gateway's port, nor stop the start."""
    names = {
        "KASCRIBE_GATEWAY_PORT": "tcp://10.0.0.1:8001",
        "KASCRIBE_GATEWAY_PORT_8001_TCP": "tcp://10.0.0.1:8001",
        "KASCRIBE_GATEWAY_PORT_8001_TCP_ADDR": "10.0.0.1",
        "KASCRIBE_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "KASCRIBE_GATEWAY_SERVICE_PORT": "8001",
        "KASCRIBE_GATEWAY_SERVICE_PORT_HTTP": "8001",
    }
    assert loaded(names).settings == Settings()


def test_names_of_other_programs_fill_in() -> None:
    """AWS's, Hugging Face's and today's Whisper services' names work where ours are absent."""
    result = loaded(
        {
            "AWS_ENDPOINT_URL": "http://weak:1",
            "AWS_ENDPOINT_URL_S3": "http://strong:2",
            "AWS_DEFAULT_REGION": "ap-northeast-2",
            "HF_HUB_OFFLINE": "1",
            "WHISPER_DEVICE": "cuda",
            "MODEL_NAME": "org/chat",
        }
    ).settings
    assert (result.s3.endpoint_url, result.s3.region) == ("http://strong:2", "ap-northeast-2")
    assert (result.whisper.offline, result.whisper.device, result.vllm.model) == (True, "cuda", "org/chat")


def test_credentials_in_a_dotenv_file_reach_the_libraries_that_read_the_environment() -> None:
    """AWS_*, HF_* and HUGGINGFACE_HUB_TOKEN of a .env file are exported, unless the environment has its own.

    An empty variable, which compose files make of an unset one, is not its own.
    """
    Path(".env").write_text(
        "AWS_ACCESS_KEY_ID=file\nAWS_PROFILE=file\nHF_TOKEN=file\nOTHER=file\n", encoding="utf-8"
    )
    environment = {"HF_TOKEN": "environment", "AWS_PROFILE": ""}
    loaded(environment)
    assert environment == {"HF_TOKEN": "environment", "AWS_ACCESS_KEY_ID": "file", "AWS_PROFILE": "file"}


def test_any_librdkafka_property_passes_from_every_source() -> None:
    """SASL and TLS need no code of ours: the name in capitals, the dots as underscores."""
    Path("kascribe.toml").write_text(
        '[kafka.properties]\nsasl.username = "me"\n"socket.keepalive.enable" = true\n', encoding="utf-8"
    )
    environment = {"KASCRIBE_KAFKA_SASL_MECHANISM": "PLAIN", "KASCRIBE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    properties = loaded(environment).settings.kafka.properties
    assert {name: value.get_secret_value() for name, value in properties.items()} == {
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "security.protocol": "SASL_SSL",
        "socket.keepalive.enable": "true",
    }


def test_a_property_that_has_an_underscore_itself_passes_too() -> None:
    """Librdkafka spells a few names with underscores; both spellings are tried."""
    (name,) = loaded({"KASCRIBE_KAFKA_LOG_LEVEL": "7"}).settings.kafka.properties
    assert name == "log_level"


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    """*_FILE reads a secret without its line end; neither rows, repr nor errors ever hold a secret."""
    secret = tmp_path / "secret"
    secret.write_text("hush-hush\n", encoding="utf-8")
    result = loaded(
        {
            "KASCRIBE_VLLM_API_KEY_FILE": str(secret),
            "KASCRIBE_KAFKA_SASL_PASSWORD_FILE": str(secret),
            "KASCRIBE_KAFKA_SSL_KEY_PASSWORD": "hush-hush",
            "KASCRIBE_VLLM_BASE_URL": "https://user:hush-hush@host:8000/v1",
        }
    )
    assert result.settings.vllm.api_key is not None
    assert result.settings.vllm.api_key.get_secret_value() == "hush-hush"
    assert result.settings.kafka.properties["sasl.password"].get_secret_value() == "hush-hush"
    assert result.settings.vllm.base_url == "https://user:hush-hush@host:8000"
    rows = shown(result)
    assert rows["vllm.api_key"] == ("****", "KASCRIBE_VLLM_API_KEY_FILE")
    assert rows["vllm.base_url"][0] == "https://****@host:8000"
    assert "hush-hush" not in repr(describe(result))
    assert "hush-hush" not in repr(result.settings.kafka)


def test_a_property_that_itself_ends_in_file_is_not_taken_for_a_secret_file() -> None:
    """Librdkafka's own *.file properties keep their meaning."""
    result = loaded({"KASCRIBE_KAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE": "key.pem"})
    (name,) = result.settings.kafka.properties
    assert name == "sasl.oauthbearer.assertion.private.key.file"


def test_every_setting_has_a_meaning_and_every_number_a_unit() -> None:
    """The page of settings leaves nobody to guess."""
    assert [setting.key for setting in settings() if not setting.meaning] == []
    numbers = [setting for setting in settings() if setting.kind in {"integer", "number"}]
    assert [setting.key for setting in numbers if not setting.unit] == []
    assert [setting.key for setting in settings() if setting.unit and setting not in numbers] == [
        "runtime.retry_delays_seconds",
        "webhooks.retry_delays_seconds",
    ]


def test_the_example_file_with_every_line_uncommented_gives_the_defaults() -> None:
    """A copy of .env.example is a valid file, whichever of its lines are put in force."""
    lines = (
        line.removeprefix("#") if re.match(r"#[A-Z]", line) else line for line in environment_file().splitlines()
    )
    Path(".env").write_text("\n".join(lines), encoding="utf-8")
    result = loaded()
    assert result.settings == Settings()
    assert len(result.provenance) > 30

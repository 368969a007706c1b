"""What is said when a setting is wrong."""

from pathlib import Path

import pytest

from tests.support.settings_sources import loaded, refusal


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "KASCRIBE_WHISPR_DEVICE",
            "cpu",
            "KASCRIBE_WHISPR_DEVICE is not a setting: did you mean KASCRIBE_WHISPER_DEVICE?",
        ),
        (
            "KASCRIBE_KAFKA_SASL_USER",
            "me",
            (
                "KASCRIBE_KAFKA_SASL_USER is neither a setting nor a librdkafka property: "
                "did you mean KASCRIBE_KAFKA_SASL_USERNAME?"
            ),
        ),
        (
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVER",
            "kafka:9092",
            (
                "KASCRIBE_KAFKA_BOOTSTRAP_SERVER is neither a setting nor a librdkafka property: "
                "did you mean KASCRIBE_KAFKA_BOOTSTRAP_SERVERS?"
            ),
        ),
        (
            "KASCRIBE_KAFKA_GROUP_ID",
            "mine",
            "KASCRIBE_KAFKA_GROUP_ID cannot be set: delivery depends on it, so Kascribe decides group.id itself",
        ),
        (
            "KASCRIBE_WHISPER_DEVICE",
            "gpu",
            (
                "KASCRIBE_WHISPER_DEVICE is 'gpu': it should be 'auto', 'cuda' or 'cpu' "
                "(auto takes the GPU where there is one)"
            ),
        ),
        (
            "KASCRIBE_S3_ENDPOINT_URL",
            "minio:9000",
            (
                "KASCRIBE_S3_ENDPOINT_URL is 'minio:9000': it should start with http:// or https:// "
                "(None is AWS; MinIO: http://host:9000)"
            ),
        ),
        (
            "AWS_ENDPOINT_URL",
            "minio:9000",
            (
                "AWS_ENDPOINT_URL is 'minio:9000': it should start with http:// or https:// "
                "(None is AWS; MinIO: http://host:9000)"
            ),
        ),
        (
            "KASCRIBE_S3_RESULTS_PREFIX",
            "/",
            (
                "KASCRIBE_S3_RESULTS_PREFIX is '/': it should be the name of a folder in the bucket, as in "
                "results/ (The folder of results; a leading slash is dropped, a trailing one added)"
            ),
        ),
        (
            "KASCRIBE_S3_UPLOADS_PREFIX",
            "a/../b",
            (
                "KASCRIBE_S3_UPLOADS_PREFIX is 'a/../b': it should be the name of a folder in the bucket, as in "
                "results/ (The folder of Kascribe's own uploads; likewise)"
            ),
        ),
        (
            "KASCRIBE_S3_ALLOWED_BUCKETS",
            "audio,s3://more",
            (
                "KASCRIBE_S3_ALLOWED_BUCKETS is ('audio', 's3://more'): it should be a bucket's name alone, as in "
                "audio, not an address (Buckets that references may name; empty: only the bucket above)"
            ),
        ),
        (
            "KASCRIBE_KAFKA_TOPIC_PREFIX",
            "team/a.",
            (
                "KASCRIBE_KAFKA_TOPIC_PREFIX is 'team/a.': it should be at most 200 letters, digits, dots, "
                "hyphens and underscores (Prefix of every topic's name, separator included)"
            ),
        ),
        (
            "KASCRIBE_KAFKA_TOPIC_PREFIX",
            "a.retry.",
            (
                "KASCRIBE_KAFKA_TOPIC_PREFIX is 'a.retry.': it should be without .retry., by which retry topics "
                "are known (Prefix of every topic's name, separator included)"
            ),
        ),
        (
            "KASCRIBE_WHISPER_BATCH_SIZE",
            "0",
            (
                "KASCRIBE_WHISPER_BATCH_SIZE is '0': it should be greater than or equal to 1 "
                "(Windows in one call at most; None: 32 on a GPU, fewer where they do not fit; 1 on a CPU)"
            ),
        ),
        (
            "KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS",
            "10,-5",
            (
                "KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS is ('10', '-5'): it should be greater than or equal to 1 "
                "(One retry topic each)"
            ),
        ),
        (
            "KASCRIBE_WHISPER_MODEL_FILE",
            "x",
            (
                "KASCRIBE_WHISPER_MODEL_FILE is not a setting: only secrets come from files; "
                "set KASCRIBE_WHISPER_MODEL itself"
            ),
        ),
        (
            "KASCRIBE_VLLM_API_KEY_FILE",
            "nowhere",
            "KASCRIBE_VLLM_API_KEY_FILE names nowhere, which cannot be read: No such file or directory",
        ),
        ("KASCRIBE_CONFIG", "nowhere.toml", "KASCRIBE_CONFIG names nowhere.toml, which is not there"),
        ("KASCRIBE_XYZ", "1", "KASCRIBE_XYZ is not a setting; docs/settings.md lists them all"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_do(name: str, value: str, message: str) -> None:
    """The sentence begins with the variable as the user wrote it and ends with the way out."""
    assert refusal({name: value}) == message


def test_a_value_that_librdkafka_refuses_is_named_and_a_secret_one_not_repeated() -> None:
    """Librdkafka's own reason is passed on under our name."""
    assert refusal({"KASCRIBE_KAFKA_SECURITY_PROTOCOL": "TLS"}) == (
        "KASCRIBE_KAFKA_SECURITY_PROTOCOL has a value that librdkafka does not accept: "
        'Invalid value "TLS" for configuration property "security.protocol"'
    )


@pytest.mark.parametrize("secret", ["hello", "whsec_aGVsbG8=", "a b c"])
def test_a_secret_that_signs_nothing_is_answered_with_its_form(secret: str) -> None:
    """In a sentence that does not repeat it."""
    assert refusal({"KASCRIBE_WEBHOOKS_SECRET": secret}).startswith(
        "KASCRIBE_WEBHOOKS_SECRET is a value that is hidden here: it should be whsec_ and 24 to 64 bytes in "
        "base64, as `kascribe webhooks secret` prints it"
    )


def test_a_password_of_postgresql_is_kept_by_a_variable_of_libpq() -> None:
    """Without one the settings are refused."""
    archive = {"KASCRIBE_ARCHIVE_URL": "postgresql://user:sesame@db.example/archive"}
    assert "sslmode=require" in refusal(archive)
    assert "sesame" not in refusal(archive)
    loaded(archive | {"PGSSLMODE": "require"})


def test_the_same_secret_twice_is_refused(tmp_path: Path) -> None:
    """A variable and its _FILE form together are a mistake that is told, not resolved."""
    secret = tmp_path / "secret"
    secret.write_text("x", encoding="utf-8")
    message = refusal({"KASCRIBE_VLLM_API_KEY": "y", "KASCRIBE_VLLM_API_KEY_FILE": str(secret)})
    assert message == ("KASCRIBE_VLLM_API_KEY and KASCRIBE_VLLM_API_KEY_FILE say the same thing: keep one of them")


def test_every_wrong_setting_is_told_at_once() -> None:
    """One start shows all mistakes in values, a line each."""
    lines = refusal({"KASCRIBE_WHISPER_DEVICE": "gpu", "KASCRIBE_GATEWAY_PORT": "70000"}).splitlines()
    assert [line.split()[0] for line in lines] == ["KASCRIBE_WHISPER_DEVICE", "KASCRIBE_GATEWAY_PORT"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[whisper]\ndevise = "cpu"',
            "whisper.devise in kascribe.toml is not a setting: did you mean whisper.device?",
        ),
        ('device = "cpu"', "device in kascribe.toml stands outside any table: did you mean whisper.device?"),
        ("[whisper]\nbatch_size = 0", "whisper.batch_size in kascribe.toml is 0: it "),
        ("[whisper", "kascribe.toml is not valid TOML: "),
        (
            '[kafka.properties]\nsasl.user = "x"',
            "kafka.properties.sasl.user in kascribe.toml is not a librdkafka property",
        ),
    ],
)
def test_a_wrong_toml_file_is_named_with_its_key(text: str, message: str) -> None:
    """Errors of a file carry the file's name and the key as it stands in it."""
    Path("kascribe.toml").write_text(text, encoding="utf-8")
    assert refusal().startswith(message)


def test_a_wrong_line_of_a_dotenv_file_is_told_with_the_file() -> None:
    """A .env name that is no setting is an error that names the file; names of other programs are not ours."""
    Path(".env").write_text("KASCRIBE_WHISPER_DEVISE=cpu\nPATH_OF_OTHERS=1\n", encoding="utf-8")
    assert refusal() == ("KASCRIBE_WHISPER_DEVISE in .env is not a setting: did you mean KASCRIBE_WHISPER_DEVICE?")


def test_a_wrong_key_on_the_command_line_is_named() -> None:
    """The command line's keys are checked like everyone else's."""
    assert refusal(whisper__devise="cpu") == "whisper.devise is not a setting: did you mean whisper.device?"

"""A gateway that anyone may use is warned about, with what to do."""

import pytest

from kascribe.wiring.gateway_access import warn_if_open
from schemas.settings import GatewaySettings


@pytest.mark.parametrize(
    ("host", "keys", "is_open"),
    [
        ("127.0.0.1", "off", False),
        ("::1", "off", False),
        ("localhost", "off", False),
        ("0.0.0.0", "off", True),  # noqa: S104
        ("::", "off", True),
        ("", "off", True),
        ("192.0.2.7", "off", True),
        ("asr.example", "off", True),
        ("0.0.0.0", "required", False),  # noqa: S104
    ],
)
def test_a_gateway_without_keys_that_others_reach_is_warned_about_once(
    host: str, keys: str, *, is_open: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning names both ways to close it."""
    warn_if_open(GatewaySettings.model_validate({"host": host, "keys": keys}))
    logged = capsys.readouterr().out
    assert ("warning" in logged) is is_open
    for way in ("KASCRIBE_GATEWAY_KEYS=required", "kascribe keys add", "KASCRIBE_GATEWAY_HOST"):
        assert logged.count(way) == is_open


@pytest.mark.parametrize(
    ("changed", "url"),
    [
        ({}, "http://127.0.0.1:8001"),
        ({"host": "0.0.0.0"}, "http://localhost:8001"),  # noqa: S104
        ({"host": "::1", "tls_certificate_file": "/gateway.pem"}, "https://[::1]:8001"),
    ],
)
def test_the_address_that_is_shown_is_one_to_paste(changed: dict[str, object], url: str) -> None:
    """Every address is reached as this machine's own, and TLS shows in the scheme."""
    assert GatewaySettings.model_validate(changed).url == url

"""Where events may be sent, as far as that is decided without DNS."""

from ipaddress import ip_address
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.errors import WebhookNotAllowed
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.addresses import address_of
from schemas.webhooks.targets import check_ip, checked_address, is_public, target_of
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET


def _settings(**fields: Any) -> WebhooksSettings:
    return WebhooksSettings.model_validate({"secret": SECRET, **fields})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "https:///path",
        "hooks.example/path",
        "https://user:password@hooks.example/",
        "https://user@hooks.example/",
        "https://hooks.example\\@10.0.0.1/",
        "https://hooks.example/a b",
        "https://hooks.example/ä",
        "https://hooks.example/#fragment",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks..example/",
        "https://[::1/",
        "https://hooks.example/\r\nx: y",
        f"https://hooks.example/{'a' * 2048}",
        "",
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    """Whatever readers of URLs might disagree about, and credentials, which would be in every event."""
    with pytest.raises(ValueError, match=r"URL|ASCII|credentials"):
        address_of(url)


@pytest.mark.parametrize("host", ["HOOKS.Example", "hooks.example.", "xn--bcher-kva.example", "a_b.example"])
def test_a_host_is_compared_in_lower_case(host: str) -> None:
    """The port follows from the scheme."""
    assert address_of(f"https://{host}/x?y=1") == ("https", host.lower(), 443)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "0.0.0.7", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255",
        "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
        "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::1",
        "2002:a00:1::", "2001:0:a00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_gets_nothing_unless_its_network_is_listed(ip: str) -> None:
    """Loopback, private networks, the metadata of clouds, and IPv6 addresses that stand for others."""
    assert not is_public(ip_address(ip))
    with pytest.raises(WebhookNotAllowed, match="KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS"):
        check_ip(ip_address(ip), _settings())
    check_ip(ip_address(ip), _settings(allowed_networks=(ip,)))


@pytest.mark.parametrize("ip", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_a_public_address_is_allowed(ip: str) -> None:
    """Nothing has to be listed for it."""
    check_ip(ip_address(ip), _settings())


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://localhost/",
        "https://a.localhost:8443/", "https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/",
        "https://0x7f000001/", "https://169.254.169.254/latest/", "http://hooks.example/", "https://10.0.0.1./",
    ],
)  # fmt: skip
def test_what_needs_no_dns_is_refused_at_once(url: str) -> None:
    """In any spelling that a resolver would read as such an address."""
    with pytest.raises(WebhookNotAllowed):
        checked_address(url, _settings())


def test_hosts_that_are_not_listed_are_refused_once_a_list_exists() -> None:
    """A pattern names every host below it, and not the host itself."""
    settings = _settings(allowed_hosts=["hooks.example", "*.team.example"])
    for host in ("hooks.example", "a.team.example", "b.a.team.example"):
        checked_address(f"https://{host}/", settings)
    for host in ("team.example", "evil-team.example", "hooks.example.evil.example"):
        with pytest.raises(WebhookNotAllowed, match="KASCRIBE_WEBHOOKS_ALLOWED_HOSTS"):
            checked_address(f"https://{host}/", settings)
    checked_address("http://hooks.example/", _settings(http_hosts=("hooks.example",)))


def test_the_jobs_own_url_goes_before_the_tenants_and_that_before_the_default() -> None:
    """Secrets are the tenant's, or else the default, whosever URL it is."""
    settings = _settings(
        url="https://all.example/", tenants={"team": {"url": "https://team.example/", "secret": OTHER_SECRET}}
    )
    found = [
        target_of(url, tenant, settings)
        for url, tenant in ((None, "x"), (None, "team"), ("https://own.example/", "team"))
    ]
    assert [target.url for target in found if target] == [
        "https://all.example/",
        "https://team.example/",
        "https://own.example/",
    ]
    keys = [target.keys for target in found if target]
    assert keys[1] == keys[2] != keys[0]
    assert target_of(None, "x", _settings()) is None
    with pytest.raises(WebhookNotAllowed, match="KASCRIBE_WEBHOOKS_SECRET"):
        target_of("https://own.example/", "x", WebhooksSettings())


@pytest.mark.parametrize(
    "fields",
    [
        {"secret": "whsec_short"},
        {"secret": "whsec_" + "A" * 20},
        {"secret": SECRET.removeprefix("whsec_")},
        {"secret": " ".join([SECRET] * 3)},
        {"url": "https://user@hooks.example/"},
        {"allowed_hosts": ("https://hooks.example",)},
        {"allowed_networks": ("10.0.0.1/8",)},
        {"tenants": {"team": {"secret": "whsec_AAAA"}}},
        {"tenants": {"team": {"sceret": SECRET}}},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields: dict[str, Any]) -> None:
    """The error's text repeats no secret."""
    with pytest.raises(ValidationError) as refused:
        _settings(**fields)
    messages = [problem["msg"] for problem in refused.value.errors()]
    assert not any("AAAA" in message or "whsec_short" in message for message in messages)

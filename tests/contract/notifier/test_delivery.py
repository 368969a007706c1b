"""One delivery over real sockets: what is sent, where it may go, and what each answer means."""

import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from consumers.notifier.delivery import Delivery
from schemas.clock import SystemClock
from schemas.errors import ConfigurationError, WebhookFailed, WebhookNotAllowed, WebhookRefused
from schemas.settings.webhooks import WebhooksSettings
from schemas.webhooks.payloads import WebhookType, body
from schemas.webhooks.targets import Target, target_of
from tests.contract.notifier.webhook_receiver import OTHER_SECRET, SECRET, Receiver, receiving
from tests.contract.vllm.certificates import Authority
from tests.support.clock import HandClock

LOOPBACK: Final = ("127.0.0.0/8",)
NAME: Final = "hooks.example"
BODY: Final = body(WebhookType.TEST, "2026-11-22T09:00:00Z", {"text": "세 줄"})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Create the authority that the test trusts."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    """Receive over TLS, as hooks.example."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certified = authority.certify("server", hosts=(NAME,))
    tls.load_cert_chain(certified.certificate, certified.key)
    with receiving(Receiver(), tls=tls) as one:
        yield one


def _to_loopback(*_: object) -> Sequence[str]:
    return ["127.0.0.1"]


def _delivery(settings: WebhooksSettings, *ips: str) -> Delivery:
    return Delivery(settings, clock=SystemClock(), resolve=(lambda *_: ips) if ips else _to_loopback)


def _settings(authority: Authority | None = None, **fields: Any) -> WebhooksSettings:
    given = {"secret": SECRET, "allowed_networks": LOOPBACK, "timeout_seconds": 5.0, **fields}
    return WebhooksSettings.model_validate({**given, "tls_ca_file": authority.file if authority else None})


def _target(receiver: Receiver, settings: WebhooksSettings, *, path: str = "/in?a=1", name: str = NAME) -> Target:
    target = target_of(f"https://{name}:{receiver.port}{path}", "default", settings)
    assert target is not None
    return target


def test_a_message_arrives_verified_at_the_named_host(authority: Authority, receiver: Receiver) -> None:
    """The connection goes to the checked address; certificate, Host header and path are those of the URL."""
    settings = _settings(authority)
    answer = _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY)
    assert (answer.status, receiver.events) == (200, {"m1": json.loads(BODY)})
    (request,) = receiver.requests
    assert (request["host"], request[":path"]) == (f"{NAME}:{receiver.port}", "/in?a=1")
    assert (request["content-type"], request["webhook-id"]) == ("application/json", "m1")


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_both_secrets_verify_while_one_replaces_the_other(
    secret: str, authority: Authority, receiver: Receiver
) -> None:
    """Receivers change to the new secret one by one."""
    settings = _settings(authority, secret=f"{SECRET} {OTHER_SECRET}")
    receiver.secret = secret
    assert _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY).status == 200


def test_the_timestamp_is_that_of_the_attempt(authority: Authority, receiver: Receiver) -> None:
    """A receiver refuses an old one: a retry signs again, under the same id."""
    settings, clock = _settings(authority), HandClock()
    delivery = Delivery(settings, clock=clock, resolve=_to_loopback)
    for _ in range(2):
        delivery.post(_target(receiver, settings), message_id="m1", body=BODY)
        clock.seconds += 60
    first, second = receiver.requests
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
    assert first["webhook-signature"] != second["webhook-signature"]
    assert first["webhook-id"] == second["webhook-id"]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_certificate_of_another_name_or_authority_is_not_trusted(
    is_known: bool, authority: Authority, receiver: Receiver
) -> None:
    """It is a failure that may pass, since certificates get renewed; nothing was sent."""
    settings = _settings(authority if is_known else None)
    target = _target(receiver, settings, name="other.example" if is_known else NAME)
    with pytest.raises(WebhookFailed, match="KASCRIBE_WEBHOOKS_TLS_CA_FILE"):
        _delivery(settings).deliver(target, message_id="m1", body=BODY)
    assert receiver.requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 499])
def test_a_refusal_is_final(status: int, authority: Authority, receiver: Receiver) -> None:
    """The same event would be refused again."""
    receiver.status = status
    settings = _settings(authority)
    with pytest.raises(WebhookRefused, match=str(status)):
        _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY)


@pytest.mark.parametrize("status", [302, 408, 425, 429, 500, 502, 503])
def test_any_other_failure_may_pass(status: int, authority: Authority, receiver: Receiver) -> None:
    """It is tried again, not before the time that the receiver asks for."""
    receiver.status = status
    receiver.headers = {"Retry-After": "90"}
    settings = _settings(authority)
    with pytest.raises(WebhookFailed, match=str(status)) as failure:
        _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY)
    assert failure.value.retry_after_seconds == (0 if status == 302 else 90)


def test_a_redirect_is_not_followed(authority: Authority, receiver: Receiver) -> None:
    """A public receiver could lead to a private address by it."""
    settings = _settings(authority)
    with receiving(Receiver()) as private:
        receiver.status = 307
        receiver.headers = {"Location": f"http://127.0.0.1:{private.port}/"}
        with pytest.raises(WebhookFailed, match="redirects are not followed"):
            _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY)
        assert private.requests == []


@pytest.mark.parametrize("ips", [("127.0.0.1",), ("192.0.2.7", "10.0.0.7"), ("::ffff:10.0.0.1",), ("fe80::1",)])
def test_a_name_that_resolves_to_a_private_address_gets_nothing(
    ips: tuple[str, ...], authority: Authority, receiver: Receiver
) -> None:
    """Every address is checked, also when only one of several is private."""
    settings = _settings(authority, allowed_networks=())
    with pytest.raises(WebhookNotAllowed, match="KASCRIBE_WEBHOOKS_ALLOWED_NETWORKS"):
        _delivery(settings, *ips).deliver(_target(receiver, settings), message_id="m1", body=BODY)
    assert receiver.requests == []


def test_this_machines_own_name_gets_nothing(authority: Authority, receiver: Receiver) -> None:
    """The system's resolver gives an address of this machine's network, or none."""
    settings = _settings(authority, allowed_networks=())
    target = _target(receiver, settings, name=socket.gethostname().lower().split(".")[0])
    with pytest.raises((WebhookNotAllowed, WebhookFailed)):
        Delivery(settings, clock=SystemClock()).deliver(target, message_id="m1", body=BODY)
    assert receiver.requests == []


def test_the_next_address_is_tried_when_one_does_not_answer(authority: Authority, receiver: Receiver) -> None:
    """A host of several addresses is reached as long as one of the first answers."""
    settings = _settings(authority)
    answer = _delivery(settings, "127.9.9.9", "127.0.0.1").deliver(
        _target(receiver, settings), message_id="m1", body=BODY
    )
    assert answer.status == 200


def test_a_receiver_that_does_not_answer_in_time_fails(authority: Authority, receiver: Receiver) -> None:
    """The limit is that of the whole delivery."""
    receiver.hold = Event()
    settings = _settings(authority, timeout_seconds=0.3)
    with pytest.raises(WebhookFailed, match="KASCRIBE_WEBHOOKS_TIMEOUT_SECONDS"):
        _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY)


def test_a_host_without_an_address_fails(authority: Authority, receiver: Receiver) -> None:
    """DNS may come back: it is no refusal."""

    def none(*_: object) -> Sequence[str]:
        raise socket.gaierror("Name or service not known")

    settings = _settings(authority)
    with pytest.raises(WebhookFailed, match="DNS"):
        Delivery(settings, clock=SystemClock(), resolve=none).deliver(
            _target(receiver, settings), message_id="m1", body=BODY
        )


def test_a_port_where_nobody_listens_fails(authority: Authority) -> None:
    """The receiver may be restarting."""
    settings = _settings(authority)
    with receiving(Receiver()) as gone:
        pass
    with pytest.raises(WebhookFailed, match=NAME):
        _delivery(settings).deliver(_target(gone, settings), message_id="m1", body=BODY)


def test_proxies_of_the_environment_are_not_used(
    authority: Authority, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect to addresses that nobody has checked."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    settings = _settings(authority)
    assert _delivery(settings).deliver(_target(receiver, settings), message_id="m1", body=BODY).status == 200


def test_a_file_without_authorities_is_refused_at_the_start(tmp_path: Path) -> None:
    """The message names the setting."""
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")
    settings = WebhooksSettings(tls_ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="KASCRIBE_WEBHOOKS_TLS_CA_FILE"):
        Delivery(settings, clock=SystemClock())

"""Tokens and passwords without TLS: the chart refuses what a role would refuse at its start, and nothing else."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.helm.chart import ChartError, Manifest
from kascribe.configuration.reading import load
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from tests.contract.installation.chart.rendering import CPU, GPU, OFFLINE, Chart, pods, variables

HOSTS: Final = "KASCRIBE_SECURITY_PLAINTEXT_HOSTS"
NO_SECRET_OF_THE_CHART: Final = {"KASCRIBE_CONFIG": ""}


def loaded(manifests: list[Manifest], role: str, directory: Path) -> Settings:
    """Load a role's variables as the role does, its secrets included. Raises ConfigurationError."""
    secret = directory / "secret"
    secret.write_text("sqlite:///archive.db" if role in {"archive", "gateway"} else f"whsec_{'c2VjcmV0' * 5}")
    named = variables(manifests, role)
    files = {name: str(secret) for name in named if name.endswith("_FILE")}
    environment = named | files | NO_SECRET_OF_THE_CHART
    return load(environment_file=directory / "none", environment=environment).settings


def sasl(mechanism: str, servers: str, *hosts: str) -> tuple[str, ...]:
    """Return the values of brokers with a password or token and without TLS."""
    given: dict[str, Any] = {"mechanism": mechanism}
    if mechanism != "OAUTHBEARER":
        given |= {"username": "u", "passwordSecret": {"name": "u"}}
    values = {"kafka.bootstrapServers": servers, "kafka.sasl": given, "networkPolicy.enabled": False}
    values |= {f"settings.{HOSTS}": hosts} if hosts else {}
    return tuple(f"{name}={json.dumps(value)}" for name, value in values.items())


def vllm(address: str, *hosts: str) -> tuple[str, ...]:
    """Return the values of a language model server with a key."""
    values: dict[str, Any] = {"vllm.baseUrl": address, f"enricher.settings.{HOSTS}": hosts}
    values |= {f"settings.{HOSTS}": "other", "networkPolicy.enabled": False}
    return tuple(f"{name}={json.dumps(value)}" for name, value in values.items())


@pytest.mark.parametrize("values", [CPU, GPU, OFFLINE], ids=lambda path: path.stem)
def test_every_role_of_an_example_accepts_its_variables(chart: Chart, tmp_path: Path, values: Path) -> None:
    """Read and checked as at its start: nothing in them would be sent where it can be read on the way."""
    manifests = chart.manifests(values)
    for role in pods(manifests):
        assert loaded(manifests, role, tmp_path).kafka.bootstrap_servers


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("https://vllm.models.svc:8000", ()),
        ("http://vllm.models.svc:8000", ("vllm.models.svc",)),
        ("http://VLLM.models.svc.:8000", ("a.example", "*.SVC.")),
        ("http://user:word@vllm:8000,https://vllm.example", ("vllm",)),
        ("http://localhost:8000,http://127.0.0.1:8000,http://[::1]:8000,http://a.localhost", ()),
        ("http://[fd00::1]:8000", ("[fd00::1]",)),
    ],
)
def test_a_key_may_go_to_hosts_that_are_named(
    chart: Chart, tmp_path: Path, address: str, hosts: tuple[str, ...]
) -> None:
    """The chart and the enricher agree."""
    manifests = chart.manifests(GPU, *vllm(address, *hosts))
    assert loaded(manifests, "enricher", tmp_path).vllm.base_url == address


@pytest.mark.parametrize(
    ("address", "host", "hosts"),
    [
        ("http://vllm.models.svc:8000", "vllm.models.svc", ()),
        (
            "http://vllm.models.svc:8000",
            "vllm.models.svc",
            ("*.svc.cluster.local", "models.svc", "*.lm.models.svc"),
        ),
        ("https://vllm.example,http://two.example:8000", "two.example", ("vllm.example",)),
        ("http://myvllm:8000", "myvllm", ("vllm",)),
    ],
)
def test_a_key_does_not_go_to_other_hosts(
    chart: Chart, tmp_path: Path, address: str, host: str, hosts: tuple[str, ...]
) -> None:
    """The chart says so before the installation, with the host to name."""
    with pytest.raises(ChartError, match=rf"over http, in the clear: use https[^\[]*\[{host}\]"):
        chart.manifests(GPU, *vllm(address, *hosts))
    unrefused = chart.manifests(GPU, *vllm(address, host))
    (variable,) = [
        each for each in pods(unrefused)["enricher"]["spec"]["containers"][0]["env"] if each["name"] == HOSTS
    ]
    variable["value"] = ",".join(hosts)
    with pytest.raises(ConfigurationError, match=f"name {host} in {HOSTS}"):
        loaded(unrefused, "enricher", tmp_path)


def test_without_a_key_http_is_no_danger(chart: Chart) -> None:
    """Nor where no enricher runs."""
    chart.manifests(GPU, *vllm("http://two.example"), 'vllm.apiKeySecret.name=""')
    chart.manifests(GPU, *vllm("http://two.example"), "enricher.enabled=false")


def test_a_configuration_file_may_name_hosts(chart: Chart) -> None:
    """The chart cannot read the Secret that holds it, and leaves the check to the roles."""
    chart.manifests(CPU, *sasl("PLAIN", "kafka.example:9092"), 'configFile.secretName="kascribe"')


@pytest.mark.parametrize(
    ("mechanism", "servers", "hosts"),
    [
        ("SCRAM-SHA-512", "kafka.example:9092", ()),
        ("SCRAM-SHA-256", "kafka.example:9092", ()),
        ("PLAIN", "one.kafka.svc:9092,two.kafka.svc:9092", ("*.kafka.svc",)),
        ("OAUTHBEARER", "localhost:9092,kafka", ("kafka",)),
    ],
)
def test_scram_and_brokers_that_are_named_need_no_tls(
    chart: Chart, tmp_path: Path, mechanism: str, servers: str, hosts: tuple[str, ...]
) -> None:
    """SCRAM proves that it knows the password; and an operator may trust the way to the brokers."""
    manifests = chart.manifests(CPU, *sasl(mechanism, servers, *hosts))
    for role in pods(manifests):
        settings = loaded(manifests, role, tmp_path)
        assert settings.kafka.properties["security.protocol"].get_secret_value() == "SASL_PLAINTEXT"


@pytest.mark.parametrize("mechanism", ["PLAIN", "OAUTHBEARER"])
def test_a_password_that_would_be_sent_needs_tls(chart: Chart, mechanism: str) -> None:
    """Each broker counts, and each role."""
    servers = "one.example:9092,two.example:9092"
    with pytest.raises(ChartError, match=r"in the clear: enable TLS, use\s+SCRAM[^\[]*\[two\.example\]"):
        chart.manifests(CPU, *sasl(mechanism, servers, "one.example"))
    of_one_role = f'gateway.settings.{HOSTS}=["one.example"]'
    with pytest.raises(ChartError, match=r"\[two\.example\]"):
        chart.manifests(CPU, *sasl(mechanism, servers, "*.example"), of_one_role)
    chart.manifests(CPU, *sasl(mechanism, servers), "kafka.tls.enabled=true")

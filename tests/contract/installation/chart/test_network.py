"""Who may speak to whom: default deny, and for each role its own peers alone."""

import json
from typing import Any

import pytest

from deploy.helm.chart import Manifest
from tests.contract.installation.chart.rendering import CPU, GPU, OFFLINE, Chart, container, of_kind, pods

DNS = {53}
KAFKA, STORE, VLLM, DATABASE = {9093}, {9000}, {8000}, {5432}
PORTS = {
    "transcriber": DNS | KAFKA | STORE | {443},
    "enricher": DNS | KAFKA | STORE | VLLM,
    "gateway": DNS | KAFKA | STORE | DATABASE,
    "archive": DNS | KAFKA | STORE | DATABASE,
    "notifier": DNS | KAFKA | STORE | {443},
    "reconciler": DNS | KAFKA | STORE,
}


def egress(policy: Manifest, port: int) -> list[dict[str, Any]]:
    """Return the peers that a policy lets its pods reach on a port."""
    rules = policy["spec"]["egress"]
    return [peer for rule in rules for peer in rule["to"] if port in {each["port"] for each in rule["ports"]}]


def namespace(name: str) -> dict[str, Any]:
    """Return the peer that is every pod of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def test_a_role_reaches_its_own_peers_and_no_others(chart: Chart) -> None:
    """Every pod is selected by one policy of both directions, and each rule has peers and ports."""
    manifests = chart.manifests(GPU)
    policies = of_kind(manifests, "NetworkPolicy")
    assert set(policies) == set(pods(manifests)) == set(PORTS)
    for role, policy in policies.items():
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["podSelector"]["matchLabels"].items() <= pods(manifests)[role]["metadata"]["labels"].items()
        assert all(rule["to"] and rule["ports"] for rule in spec["egress"])
        assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == PORTS[role]
        assert egress(policy, 53) == [namespace("kube-system")]
        assert egress(policy, 9093) == [namespace("kafka")]
        assert egress(policy, 9000) == [namespace("storage")]


def test_peers_are_where_their_addresses_say(chart: Chart) -> None:
    """A service by its namespace, an address by itself, a short name in the release's own namespace."""
    offline = of_kind(chart.manifests(OFFLINE), "NetworkPolicy")["enricher"]
    assert egress(offline, 9000) == [{"ipBlock": {"cidr": "192.0.2.20/32"}}]
    assert egress(offline, 8000) == [{"ipBlock": {"cidr": "192.0.2.30/32"}}]
    assert egress(offline, 9093) == [{"ipBlock": {"cidr": "192.0.2.0/28"}}]
    several = 'kafka.bootstrapServers="kafka-0.brokers.streams.svc.cluster.local,kafka:9095,[2001:db8::5]:9096"'
    policy = of_kind(chart.manifests(CPU, several), "NetworkPolicy")["transcriber"]
    peers = [namespace("streams"), {"podSelector": {}}, {"ipBlock": {"cidr": "2001:db8::5/128"}}]
    assert egress(policy, 9092) == egress(policy, 9095) == egress(policy, 9096) == peers
    brokers = of_kind(chart.manifests(CPU, "networkPolicy.kafkaPorts=[9092,32100]"), "NetworkPolicy")["gateway"]
    assert egress(brokers, 32100) == [namespace("kafka")]


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_an_address_without_a_port_has_the_one_of_its_scheme(chart: Chart, scheme: str, port: int) -> None:
    """As the client that connects to it."""
    policy = of_kind(
        chart.manifests(CPU, f'objectStore.endpointUrl="{scheme}://minio.storage.svc/path"'), "NetworkPolicy"
    )
    assert egress(policy["reconciler"], port) == [namespace("storage")]


def test_only_named_clients_reach_a_role(chart: Chart) -> None:
    """The gateway serves clients and Prometheus, other roles Prometheus alone, and nobody unless named."""
    manifests = chart.manifests(GPU)
    for role, policy in of_kind(manifests, "NetworkPolicy").items():
        (rule,) = policy["spec"]["ingress"]
        clients = [namespace("ingress-nginx")] if role == "gateway" else []
        assert rule["from"] == [*clients, namespace("monitoring")]
        (port,) = container(manifests, role)["ports"]
        assert rule["ports"] == [{"protocol": "TCP", "port": port["name"]}]
    for role, policy in of_kind(chart.manifests(CPU), "NetworkPolicy").items():
        assert bool(policy["spec"]["ingress"]) is (role == "gateway")


def test_webhooks_and_models_reach_public_addresses_alone(chart: Chart) -> None:
    """Neither reaches a private network, whatever name leads there."""
    policies = of_kind(chart.manifests(GPU), "NetworkPolicy")
    for role in ("notifier", "transcriber"):
        (peer,) = egress(policies[role], 443)
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(peer["ipBlock"]["except"])


def test_dns_is_where_the_cluster_has_it(chart: Chart) -> None:
    """A policy's ports are those of pods: OpenShift's DNS listens on 5353, behind port 53 of its service."""
    sets = (f"networkPolicy.dns={json.dumps([namespace('openshift-dns')])}", "networkPolicy.dnsPorts=[5353]")
    for policy in of_kind(chart.manifests(CPU, *sets), "NetworkPolicy").values():
        rule = policy["spec"]["egress"][0]
        assert rule["to"] == [namespace("openshift-dns")]
        assert rule["ports"] == [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]
        assert egress(policy, 53) == []


def test_policies_can_be_left_to_others(chart: Chart) -> None:
    """A cluster with policies of its own gets none."""
    assert of_kind(chart.manifests(GPU, "networkPolicy.enabled=false"), "NetworkPolicy") == {}


def test_traces_reach_their_collector_where_one_is_set(chart: Chart) -> None:
    """No further peer without one."""
    address = 'settings.KASCRIBE_TRACING_ENDPOINT_URL="http://collector.monitoring.svc:4318"'
    policy = of_kind(chart.manifests(CPU, address), "NetworkPolicy")["transcriber"]
    assert egress(policy, 4318) == [namespace("monitoring")]
    assert egress(of_kind(chart.manifests(CPU), "NetworkPolicy")["transcriber"], 4318) == []

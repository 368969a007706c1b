"""KEDA's objects and the Prometheus operator's: what they measure exists, and failures scale nothing down."""

import re

from consumers.kafka.client import group_id
from consumers.metrics import catalogue
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings
from tests.contract.installation.chart.rendering import CPU, GPU, OFFLINE, Chart, container, of_kind, pods


def test_transcribers_scale_by_the_backlog_in_seconds_of_audio(chart: Chart) -> None:
    """The metric is one of the catalogue with these labels, summed over this release's pods."""
    manifests = chart.manifests(GPU)
    scaled = of_kind(manifests, "ScaledObject")["transcriber"]["spec"]
    (trigger,) = scaled["triggers"]
    assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
    assert trigger["metadata"]["threshold"] == "60000"
    query = re.fullmatch(
        r'sum\((\w+)\{namespace="speech",role="(\w+)",pod=~"(.*)"\}\)', trigger["metadata"]["query"]
    )
    assert query is not None
    (row,) = [row for row in catalogue() if row.name == query[1]]
    assert row.unit == "seconds"
    assert "role" in row.labels
    assert query[2] == "transcriber"
    name = of_kind(manifests, "Deployment")["transcriber"]["metadata"]["name"]
    assert re.fullmatch(query[3], f"{name}-6d4cf56db6-x7k2p")
    assert scaled["scaleTargetRef"] == {"kind": "Deployment", "name": name}
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 16)


def test_an_outage_of_what_is_measured_takes_no_replica_away(chart: Chart) -> None:
    """A backlog that is not measured is not an empty one, and replicas leave one after the other."""
    for scaled in of_kind(chart.manifests(GPU), "ScaledObject").values():
        assert scaled["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"
        for trigger in scaled["spec"]["triggers"]:
            if trigger["type"] == "prometheus":
                assert trigger["metadata"]["ignoreNullValues"] == "false"
        behaviour = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]


def test_lag_is_that_of_the_role_s_own_group_and_topics(chart: Chart) -> None:
    """With the prefixes of the settings, as the roles use them."""
    prefixes = [
        'settings.KASCRIBE_KAFKA_TOPIC_PREFIX="team."',
        'settings.KASCRIBE_KAFKA_GROUP_ID_PREFIX="team.kascribe."',
    ]
    for changes, settings in (
        ([], KafkaSettings()),
        (prefixes, KafkaSettings(topic_prefix="team.", group_id_prefix="team.kascribe.")),
    ):
        topics = Topics(settings.topic_prefix)
        inputs = {
            "transcriber": {topics.references, topics.objects},
            "enricher": {topics.transcripts, topics.enrich_requests},
        }
        both = 'enricher.autoscaling={"enabled":true,"trigger":"kafka"}'
        for role, scaled in of_kind(chart.manifests(OFFLINE, both, *changes), "ScaledObject").items():
            found = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
            assert {each["topic"] for each in found} == inputs[role]
            assert {each["consumerGroup"] for each in found} == {group_id(settings, role)}
            assert {each["tls"] for each in found} == {"enable"}


def test_keda_s_access_to_kafka_refers_to_the_same_secrets(chart: Chart) -> None:
    """Certificates, or user and password: the user's name is no secret, and in a ConfigMap."""
    (certificates,) = of_kind(chart.manifests(OFFLINE), "TriggerAuthentication").values()
    assert certificates["spec"] == {
        "secretTargetRef": [
            {"parameter": "ca", "name": "kafka-ca", "key": "ca.crt"},
            {"parameter": "cert", "name": "kascribe-kafka", "key": "user.crt"},
            {"parameter": "key", "name": "kascribe-kafka", "key": "user.key"},
        ]
    }
    manifests = chart.manifests(GPU)
    (password,) = of_kind(manifests, "TriggerAuthentication").values()
    assert {"parameter": "password", "name": "kascribe", "key": "password"} in password["spec"]["secretTargetRef"]
    (user,) = of_kind(manifests, "ConfigMap").values()
    assert user["data"] == {"username": "kascribe"}
    assert password["spec"]["configMapTargetRef"][0]["name"] == user["metadata"]["name"]
    (trigger, *_) = of_kind(manifests, "ScaledObject")["enricher"]["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": password["metadata"]["name"]}
    assert trigger["metadata"]["sasl"] == "scram_sha512"


def test_what_keda_scales_has_no_number_of_replicas(chart: Chart) -> None:
    """Otherwise each upgrade would set it back."""
    deployments = of_kind(chart.manifests(GPU), "Deployment")
    scaled = {role for role, each in deployments.items() if "replicas" not in each["spec"]}
    assert scaled == {"transcriber", "enricher"}
    assert of_kind(chart.manifests(CPU), "Deployment")["transcriber"]["spec"]["replicas"] == 1
    assert of_kind(chart.manifests(CPU), "ScaledObject") == {}


def test_every_role_that_serves_metrics_is_monitored_at_its_port(chart: Chart) -> None:
    """By the port's name, over TLS where the gateway speaks it; a CronJob serves none."""
    for values in (GPU, OFFLINE):
        manifests = chart.manifests(values)
        monitors = of_kind(manifests, "PodMonitor")
        assert set(monitors) == set(of_kind(manifests, "Deployment"))
        for role, monitor in monitors.items():
            (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
            (port,) = container(manifests, role)["ports"]
            assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
            assert endpoint.get("scheme") == ("https" if values == OFFLINE and role == "gateway" else None)
            labels = pods(manifests)[role]["metadata"]["labels"]
            assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert of_kind(chart.manifests(CPU), "PodMonitor") == {}

"""Values that cannot work are refused when the chart is rendered, and the message says what to do."""

import json
import re
from pathlib import Path

import pytest
import yaml

from deploy.helm.chart import CHART, ChartError
from kascribe.configuration.sources import from_names
from kascribe.documents.chart_schema import OTHER_VALUES
from schemas.settings.catalogue import by_environment_name
from tests.contract.installation.chart.rendering import CPU, GPU, OFFLINE, Chart, container, pods, variables


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('settings.KASCRIBE_WHISPER_MODLE="small"', "KASCRIBE_WHISPER_MODLE"),
        ('gateway.settings.KASCRIBE_GATEWAY_KEY="required"', "KASCRIBE_GATEWAY_KEY"),
        ('settings.KASCRIBE_GATEWAY_KEYS="on"', "KASCRIBE_GATEWAY_KEYS"),
        ('settings.KASCRIBE_WHISPER_BATCH_SIZE="many"', "KASCRIBE_WHISPER_BATCH_SIZE"),
        ("settings.KASCRIBE_WHISPER_BATCH_SIZE=0", "KASCRIBE_WHISPER_BATCH_SIZE"),
        ('settings.KASCRIBE_VLLM_API_KEY="hunter2"', "KASCRIBE_VLLM_API_KEY"),
        ('settings.KASCRIBE_KAFKA_BOOTSTRAP_SERVERS="other:9092"', "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS"),
        ('environment.KASCRIBE_LOG_LEVEL="debug"', "/environment/KASCRIBE_LOG_LEVEL.*in settings"),
        ('environment.PROXY_PASSWORD="hunter2"', "/environment/PROXY_PASSWORD.*in a Secret"),
        ('kafka.properties={"sasl.password":"hunter2"}', "/kafka/properties/sasl.password.*in secretSettings"),
        ('kafka.properties={"enable.auto.commit":true}', "enable.auto.commit.*left out"),
        ('kafka.properties={"group.instance.id":"one"}', "group.instance.id.*left out"),
        ("transcriber.resources.limits=null", "limits"),
        ('image.tag="latest"', "tag"),
        ('image.digests={"gateway":"sha256:1"}', "digests"),
        ("replicas=3", "replicas"),
        ("graceMarginSeconds=0", "graceMarginSeconds"),
    ],
)
def test_a_wrong_value_is_named(chart: Chart, change: str, complaint: str) -> None:
    """Unknown settings, wrong types, secrets as text, and what other values decide."""
    with pytest.raises(ChartError, match=complaint):
        chart.manifests(CPU, change)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('image.registry=""', "image.registry is not set"),
        ('kafka.bootstrapServers=""', "kafka.bootstrapServers is not set"),
        ('objectStore.bucket=""', "objectStore.bucket is not set"),
        ("enricher.enabled=true", "vllm.baseUrl is not set"),
        ("archive.enabled=true", "archive.urlSecret.name is not set"),
        ('archive={"enabled":true,"urlSecret":{"name":"archive"}}', "archive.address is not set"),
        ("notifier.enabled=true", "notifier.signingSecret.name is not set"),
        ('kafka.sasl.mechanism="PLAIN"', "kafka.sasl.username is not set"),
        ("transcriber.replicas=13", "transcriber.replicas is 13, and the topics have 12 partitions"),
        ("transcriber.autoscaling.enabled=true", "prometheus.serverAddress is not set"),
        (
            'transcriber.autoscaling={"enabled":true,"minReplicas":0,"prometheus":{"serverAddress":"http://p:9090"}}',
            "minReplicas is 0",
        ),
        (
            'transcriber.autoscaling={"enabled":true,"maxReplicas":13,"trigger":"kafka"}',
            "maxReplicas is 13, and the topics have 12 partitions",
        ),
        ("networkPolicy.peers.clients=[]", "nobody could reach the gateway"),
        ("podMonitor.enabled=true", "Prometheus could not read metrics"),
        ('kafka.bootstrapServers="kafka.example:9092"', "a NetworkPolicy knows no host names"),
        ('objectStore.endpointUrl=""', "networkPolicy.peers.objectStore is empty"),
        ("gateway.ingress.enabled=true", "gateway.ingress.host is not set"),
        ('secretSettings.KASCRIBE_KAFKA_SSL_KEY_PASSWORD={"name":"kafka"}', "SSL_KEY_PASSWORD is incomplete"),
    ],
)
def test_values_that_do_not_agree_are_refused_with_what_to_do(chart: Chart, change: str, complaint: str) -> None:
    """Found before the installation, rather than by a pod that does not start."""
    with pytest.raises(ChartError, match=complaint):
        chart.manifests(CPU, change)


def test_more_partitions_allow_more_replicas(chart: Chart) -> None:
    """Topics that were created with more partitions are named in the settings."""
    chart.manifests(CPU, "transcriber.replicas=13", "settings.KASCRIBE_KAFKA_TOPIC_PARTITIONS=24")


@pytest.mark.parametrize("values", [CPU, GPU, OFFLINE], ids=lambda path: path.stem)
def test_every_variable_is_a_setting_that_a_role_accepts(chart: Chart, tmp_path: Path, values: Path) -> None:
    """A name that is none stops a role at its start; values are read as the roles read them."""
    secret = tmp_path / "secret"
    secret.write_text("sqlite:///archive.db")
    manifests = chart.manifests(values)
    for role in pods(manifests):
        named = variables(manifests, role)
        files = {name: str(secret) for name in named if name.endswith("_FILE") and "TLS" not in name}
        config = {"KASCRIBE_CONFIG": ""}
        assert from_names({**named, **files, **config}), role


def test_numbers_and_lists_arrive_as_they_are_written(chart: Chart) -> None:
    """Helm makes floating-point numbers of integers: 17179869184 is not 1.7179869184e+10."""
    assert variables(chart.manifests(OFFLINE), "transcriber")["KASCRIBE_S3_OBJECT_LIMIT_BYTES"] == "17179869184"
    assert variables(chart.manifests(OFFLINE), "gateway")["KASCRIBE_KAFKA_CREATE_TOPICS"] == "false"
    made = chart.manifests(
        CPU,
        "settings.KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS=[5,30]",
        "settings.KASCRIBE_RUNTIME_POLL_INTERVAL_SECONDS=0.05",
    )
    assert variables(made, "transcriber")["KASCRIBE_RUNTIME_RETRY_DELAYS_SECONDS"] == "5,30"
    assert variables(made, "transcriber")["KASCRIBE_RUNTIME_POLL_INTERVAL_SECONDS"] == "0.05"


def test_the_setting_of_a_role_wins(chart: Chart) -> None:
    """Over that of all roles, for this role alone."""
    made = chart.manifests(
        CPU, 'settings.KASCRIBE_LOG_LEVEL="warning"', 'gateway.settings.KASCRIBE_LOG_LEVEL="debug"'
    )
    assert variables(made, "gateway")["KASCRIBE_LOG_LEVEL"] == "debug"
    assert variables(made, "transcriber")["KASCRIBE_LOG_LEVEL"] == "warning"


def test_a_gateway_without_an_enricher_refuses_its_routes_at_once(chart: Chart) -> None:
    """Otherwise its pods would wait for an enricher, and never be ready."""
    assert variables(chart.manifests(CPU), "gateway")["KASCRIBE_GATEWAY_ENRICHMENT"] == "false"
    assert variables(chart.manifests(GPU), "gateway")["KASCRIBE_GATEWAY_ENRICHMENT"] == "true"


def test_uploads_fit_into_the_gateway_s_scratch_volume(chart: Chart) -> None:
    """A pod whose volume is larger than its limit is evicted, with every request in it."""
    manifests = chart.manifests(GPU, "gateway.scratchGiB=5")
    limit = int(variables(manifests, "gateway")["KASCRIBE_GATEWAY_SPOOL_LIMIT_BYTES"])
    assert limit == 4 * 1024**3
    assert {"name": "scratch", "emptyDir": {"sizeLimit": "5Gi"}} in pods(manifests)["gateway"]["spec"]["volumes"]


def test_a_secret_setting_is_read_from_its_file(chart: Chart) -> None:
    """Any secret of the catalogue, and librdkafka's."""
    secret = '{"name":"kafka","key":"phrase"}'
    made = chart.manifests(GPU, f"secretSettings.KASCRIBE_KAFKA_SSL_KEY_PASSWORD={secret}")
    path = "/etc/kascribe/kafka-ssl-key-password-setting/phrase"
    assert variables(made, "gateway")["KASCRIBE_KAFKA_SSL_KEY_PASSWORD_FILE"] == path
    assert path.rsplit("/", 1)[0] in {mount["mountPath"] for mount in container(made, "gateway")["volumeMounts"]}


def test_settings_that_other_values_decide_exist() -> None:
    """Each name is a setting, and the value that decides it is one of the chart."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for name, value in OTHER_VALUES.items():
        assert name in by_environment_name() or name == "KASCRIBE_KAFKA_SASL_PASSWORD"
        place = values
        for step in value.split("."):
            place = place[step]


def test_every_value_is_in_the_schema_and_has_a_default() -> None:
    """A value that the schema knows and values.yaml does not would be one that nobody finds."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) - set(values) == {"global"}
    for role in ("transcriber", "gateway", "networkPolicy", "kafka"):
        assert set(schema["properties"][role]["properties"]) == set(values[role])
    assert re.search(r"hunter2|changeme", (CHART / "values.yaml").read_text()) is None

"""Roles as their manifests start them: the arguments and variables of a pod, on this machine."""

import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECRETS_IN_PODS: Final = "/etc/kascribe"


@dataclass(frozen=True, slots=True)
class PodProcess:
    """One running role. ``pod`` is the template that it was started from; its log is in ``directory``."""

    pod: Mapping[str, Any]
    process: subprocess.Popen[bytes]
    directory: Path

    @property
    def variables(self) -> list[dict[str, str]]:
        """The variables whose values are in the manifest."""
        return [each for each in self.pod["spec"]["containers"][0]["env"] if "value" in each]

    def status(self, probe: str) -> int | None:
        """Return what a kubelet sees of a probe: its HTTP status, or None where nothing answers."""
        check = self.pod["spec"]["containers"][0][f"{probe}Probe"]["httpGet"]
        return self._get(check["port"], check["path"], check["scheme"])

    def metrics(self) -> int | None:
        """Return what Prometheus sees: the status of the metrics."""
        container = self.pod["spec"]["containers"][0]
        return self._get(
            container["ports"][0]["name"], "/metrics", container["livenessProbe"]["httpGet"]["scheme"]
        )

    def _get(self, name: str, path: str, scheme: str) -> int | None:
        ports = self.pod["spec"]["containers"][0]["ports"]
        (port,) = [each["containerPort"] for each in ports if each["name"] == name]
        return http_status(f"{scheme.lower()}://127.0.0.1:{port}{path}")

    def end(self) -> float:
        """Send SIGTERM as a kubelet does, wait for the end, and return the grace period that it had."""
        grace = float(self.pod["spec"]["terminationGracePeriodSeconds"])
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=grace)
        return grace


def http_status(url: str) -> int | None:
    """Return the status of a GET, the certificate unchecked as by kubelets; None without an answer."""
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=unverified) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return None


@contextmanager
def started(
    pod: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]], *, directory: Path, extra: Mapping[str, str]
) -> Iterator[PodProcess]:
    """Start a pod's command with its variables and the Secrets that it refers to; end it with the context.

    ``secrets`` are keys and texts by the Secret's name. ``extra`` are variables of this machine.
    """
    container = pod["spec"]["containers"][0]
    mounted = directory / "secrets"
    _mount(pod["spec"]["volumes"], container["volumeMounts"], secrets, mounted)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **extra}
    for each in container["env"]:
        if "value" in each:
            environment[each["name"]] = each["value"].replace(SECRETS_IN_PODS, str(mounted))
        else:
            reference = each["valueFrom"]["secretKeyRef"]
            environment[each["name"]] = secrets[reference["name"]][reference["key"]]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            _command(container["args"]), env=environment, cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield PodProcess(pod, process, directory)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "kascribe", *arguments]


def _mount(
    volumes: Sequence[Mapping[str, Any]],
    mounts: Sequence[Mapping[str, Any]],
    secrets: Mapping[str, Mapping[str, str]],
    directory: Path,
) -> None:
    of_volume = {each["name"]: each["secret"] for each in volumes if "secret" in each}
    for mount in mounts:
        secret = of_volume.get(mount["name"])
        if secret is None:
            continue
        for item in secret["items"]:
            path = directory / Path(mount["mountPath"]).relative_to(SECRETS_IN_PODS) / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(secrets[secret["secretName"]][item["key"]])

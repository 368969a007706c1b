"""A certificate authority for one test, and its certificates."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """An authority that certifies itself, and others for 127.0.0.1, with files in a directory of the test."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._signed(self._name, self._key, is_authority=True)
        self.file = directory / f"{name}.authority.pem"
        self.file.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def certify(
        self, name: str, *, hosts: Sequence[str] = (), expired_for: dt.timedelta | None = None
    ) -> Certified:
        """Create a key and a certificate for this name, which is also that of ``hosts``.

        With ``expired_for``, it ended so long ago.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = Certified(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        signed = self._signed(_named(name), key, is_authority=False, hosts=hosts, expired_for=expired_for)
        made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        is_authority: bool,
        hosts: Sequence[str] = (),
        expired_for: dt.timedelta | None = None,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        ends_at = now + LIFETIME if expired_for is None else now - expired_for
        here = x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, hosts)]
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends_at - 2 * LIFETIME)
            .not_valid_after(ends_at)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

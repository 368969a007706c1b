"""The hosts to which libpq may send a PostgreSQL password as it is. Its own default asks for no encryption."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs

_URL: Final = re.compile(
    r"postgresql[^:]*://(?:[^:/]*(?::[^@]*)?@)?(?:\[(?P<v6>[^/?]+)\]|(?P<name>[^/:?]+))?(?::[^/?]*)?(?:/[^?]*)?"
    r"(?:\?(?P<query>.*))?"
)
"""As SQLAlchemy reads it: a password may have any character but ``@``."""

_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})
"""Values of ``sslmode`` with which libpq connects with TLS alone; ``prefer``, its default, is none."""

_PROVEN: Final = frozenset({"scram-sha-256", "gss", "sspi"})
"""Methods of ``require_auth`` that prove the password, or need none; ``md5`` sends a hash that is soon guessed."""


def told_hosts(url: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield each host that may ask for the password and get it without TLS; none for another kind of database.

    ``environment`` has the variables that libpq reads where the URL is silent: PGHOST, PGSSLMODE and the others.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return
    query = parse_qs(found["query"] or "")
    modes = query.get("sslmode") or [environment.get("PGSSLMODE", "")]
    methods = ",".join(query.get("require_auth") or [environment.get("PGREQUIREAUTH", "")])
    if _ENCRYPTED.issuperset(modes) or _PROVEN.issuperset(each.strip() for each in methods.split(",")):
        return
    named = found["v6"] or found["name"]
    hosts = (
        query.get("hostaddr")
        or query.get("host")
        or ([named] if named else None)
        or [environment.get("PGHOSTADDR") or environment.get("PGHOST", "")]
    )
    for host in ",".join(hosts).split(","):
        # A path, or @ and a name, is a socket of this machine; so is no host at all.
        if host.strip() and not host.strip().startswith(("/", "@")):
            yield _without_port(host.strip())


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and ":" not in name and port.isdigit() else host

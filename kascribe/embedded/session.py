"""Where a running ``kascribe up`` can be found by the other commands of the same user."""

import json
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

FILE_NAME = "embedded.json"


def state_directory() -> Path:
    """Of this user, by the XDG specification: what may be lost without harm but should last a while."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kascribe"


class Session(BaseModel):
    """One running embedded stack. The file goes when the stack ends; a dead one's file is not believed."""

    model_config = ConfigDict(frozen=True)

    pid: int
    bootstrap_servers: str
    s3_endpoint_url: str
    bucket: str
    access_key: str
    gateway_url: str | None
    transcripts_directory: str
    model: str

    @classmethod
    def current(cls, directory: Path | None = None) -> Self | None:
        """The stack that is running, if one is."""
        path = (directory or state_directory()) / FILE_NAME
        try:
            session = cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            return None
        return session if _is_alive(session.pid) else None

    def write(self, directory: Path | None = None) -> Path:
        """Says that this stack runs; readable by the user alone."""
        directory = directory or state_directory()
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE_NAME
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.model_dump(), indent=2) + "\n")
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make any Kascribe process use this stack."""
        return {
            "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KASCRIBE_S3_ENDPOINT_URL": self.s3_endpoint_url,
            "KASCRIBE_S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.access_key,
            "AWS_REGION": "us-east-1",
        }


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

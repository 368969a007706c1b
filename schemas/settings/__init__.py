"""All settings: unit (last word of the name), default and meaning.

A field ``name`` of the section ``section`` is ``KASCRIBE_SECTION_NAME`` in the environment or a ``.env`` file, and
``name`` in the table ``[section]`` of a TOML file. Descriptions of limits say what they protect.
``kascribe.configuration.reading`` reads settings from these sources.
"""

from schemas.settings.archive import ArchiveSettings
from schemas.settings.gateway import GatewaySettings
from schemas.settings.reconciler import ReconcilerSettings
from schemas.settings.sections import (
    KafkaSettings,
    LogSettings,
    RuntimeSettings,
    S3Settings,
    ServerSettings,
    Settings,
    VllmSettings,
    WhisperSettings,
)
from schemas.settings.security import SecuritySettings
from schemas.settings.tracing import TracingSettings
from schemas.settings.types import Section

__all__ = [
    "ArchiveSettings",
    "GatewaySettings",
    "KafkaSettings",
    "LogSettings",
    "ReconcilerSettings",
    "RuntimeSettings",
    "S3Settings",
    "Section",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "TracingSettings",
    "VllmSettings",
    "WhisperSettings",
]

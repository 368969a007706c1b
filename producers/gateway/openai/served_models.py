"""The names of models that requests may give, and the model that each stands for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePath
from typing import Self

from producers.gateway.failures import RequestRefused


@dataclass(frozen=True, slots=True)
class ServedModels:
    """Names by which models are requested. The value is the option ``model``; None takes the deployment's."""

    names: Mapping[str, str | None]

    @classmethod
    def of(cls, aliases: Iterable[str], *, model: str) -> Self:
        """Return the names of the setting ``gateway.models``, of what they stand for, and of the model itself.

        ``model`` is the setting ``whisper.model``; a directory is known by its last component. A name requests its
        model by name, so that the transcriber refuses it if it serves another.
        """
        pairs = [alias.partition("=") for alias in aliases]
        own = PurePath(model).name if model.startswith(("/", "~", ".")) else model
        themselves = {name: name for name in (own, *(target for _, _, target in pairs)) if name}
        return cls({**themselves, **{name: target or None for name, _, target in pairs}})

    def option_of(self, name: str) -> str | None:
        """Return the option ``model`` for a requested name. Raises RequestRefused for an unknown one."""
        try:
            return self.names[name]
        except KeyError:
            raise RequestRefused(
                HTTPStatus.NOT_FOUND,
                "model_not_found",
                f"The model {name[:100]!r} does not exist here. Available: {', '.join(self.names)} "
                "(KASCRIBE_GATEWAY_MODELS names more)",
                param="model",
            ) from None

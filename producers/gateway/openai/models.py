"""``GET /v1/models`` and ``GET /v1/models/{model}``: the names that requests may give."""

from typing import Annotated, Final, Literal

from fastapi import FastAPI, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from producers.gateway.access.caller import Right, caller_of
from producers.gateway.documentation.examples import MODEL, MODELS
from producers.gateway.documentation.responses import openai_failures
from producers.gateway.documentation.tags import Tag
from producers.gateway.services import services_of

OWNER: Final = "kascribe"
ModelName = Annotated[str, Path(description="A name of `GET /v1/models`.", examples=["whisper-1"])]


class Model(BaseModel):
    """A name of a model, as OpenAI describes models."""

    model_config = ConfigDict(json_schema_extra={"examples": [MODEL]})

    id: str = Field(description="The name, for the field `model`.", examples=["whisper-1"])
    object: Literal["model"] = Field(default="model", description="Always model.")
    created: int = Field(default=0, description="Always 0: when a model was made is not known.")
    owned_by: str = Field(default=OWNER, description="Always kascribe.")


class ModelList(BaseModel):
    """All names of models."""

    model_config = ConfigDict(json_schema_extra={"examples": [MODELS]})

    object: Literal["list"] = Field(default="list", description="Always list.")
    data: list[Model] = Field(description="The names, in the order of the setting.")


def add_models(app: FastAPI) -> None:
    """Add the routes."""

    @app.get("/v1/models", tags=[Tag.OPENAI], summary="List the models")
    async def list_models(request: Request) -> ModelList:
        caller_of(request, Right.TRANSCRIBE)
        return ModelList(data=[Model(id=name) for name in services_of(request).models.names])

    @app.get(
        # Names such as org/model have slashes.
        "/v1/models/{model:path}",
        tags=[Tag.OPENAI],
        summary="Read a model",
        responses=openai_failures("model_not_found"),
    )
    async def read_model(request: Request, model: ModelName) -> Model:
        caller_of(request, Right.TRANSCRIBE)
        services_of(request).models.option_of(model)
        return Model(id=model)

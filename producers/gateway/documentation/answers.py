"""The bodies of failures, as routes declare them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FailureCause(BaseModel):
    """Why a request failed."""

    reason: str = Field(description="One word of a closed set: for programs.")
    message: str = Field(description="What is wrong and what to do about it: for people.")


class FailureAnswer(BaseModel):
    """A failure, as the routes of this API answer it; the status fits the reason."""

    success: Literal[False] = Field(description="Always false.")
    error: FailureCause = Field(description="The reason and its explanation.")


class LateAnswer(FailureAnswer):
    """The result was not ready in time; the same request with the same key gets it later."""

    job_id: str = Field(description="The job that the request started or joined.")
    idempotency_key: str = Field(description="The key to repeat the request with.")


class OpenAIErrorCause(BaseModel):
    """The error object of OpenAI's API."""

    message: str = Field(description="What is wrong and what to do about it.")
    type: str = Field(description="The family of the error, such as `invalid_request_error`.")
    param: str | None = Field(description="The field at fault, if it is one.")
    code: str | None = Field(description="One word of a closed set: the reason.")


class OpenAIErrorAnswer(BaseModel):
    """A failure, as OpenAI's API answers it."""

    model_config = ConfigDict(title="OpenAIErrorAnswer")

    error: OpenAIErrorCause = Field(description="The error.")

"""JSON bodies of requests, as values. No I/O.

Checked against vLLM 0.33: ``response_format`` is honoured, while ``guided_json`` is ignored silently, and
``max_completion_tokens`` beyond the context is clamped silently, so readers must check ``finish_reason``.
"""

from typing import Any, Final

from models.vllm.servers.completion import CompletionRequest, Prompt, ServedModel

CHAT_PATH: Final = "/v1/chat/completions"
COMPLETIONS_PATH: Final = "/v1/completions"
CACHE_SALT_CHARACTERS: Final = 1_024


def completions_path(model: ServedModel) -> str:
    """Return the path that completes prompts for this model."""
    return CHAT_PATH if model.has_chat_template else COMPLETIONS_PATH


def request_body(
    request: CompletionRequest, model: ServedModel, *, stream: bool, priority: int | None
) -> dict[str, Any]:
    """Return the body for ``completions_path(model)``."""
    body = prompt_body(request.prompt, model) | {
        "temperature": request.temperature,
        "top_p": 1.0,
        "stream": stream,
    }
    body["max_completion_tokens" if model.has_chat_template else "max_tokens"] = request.max_completion_tokens
    if request.schema is not None:
        named = {"name": request.schema_name, "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if request.frequency_penalty:
        body["frequency_penalty"] = request.frequency_penalty
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.cache_salt:
        body["cache_salt"] = request.cache_salt[:CACHE_SALT_CHARACTERS]
    if priority is not None:
        body["priority"] = priority
    return body


def prompt_body(prompt: Prompt, model: ServedModel) -> dict[str, Any]:
    """Return the fields that hold the prompt, for completing or counting it.

    They turn reasoning off in templates that can do so; other templates ignore the field.
    """
    if not model.has_chat_template:
        return {"model": model.name, "prompt": plain_prompt(prompt)}
    return {
        "model": model.name,
        "messages": messages(prompt, model),
        "chat_template_kwargs": {"enable_thinking": False},
    }


def messages(prompt: Prompt, model: ServedModel) -> list[dict[str, str]]:
    """Return the prompt for a chat template."""
    if not model.has_system_role:
        return [{"role": "user", "content": f"{prompt.system}\n\n{prompt.user}"}]
    return [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]


def plain_prompt(prompt: Prompt) -> str:
    """Return the prompt for a model that only continues text."""
    return f"{prompt.system}\n\n{prompt.user}\n\nAnswer:\n"

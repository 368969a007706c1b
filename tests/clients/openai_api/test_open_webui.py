"""The request that Open WebUI sends for speech: engine ``openai``, in its default encoding, multipart.

Its router ``audio.py`` posts the model, the language if the user has set one, and the file, with aiohttp: each
text field has a content type of its own. Of the answer it reads ``text``, and of an error ``error.message``. If a
request with the language fails, it sends another one without.
"""

import http.client
import json
from typing import Any, Final

import pytest

from tests.flow.gateway import Gateway
from tests.sound.wav_listener import wav_bytes

BOUNDARY: Final = "fb890994b9624dd89aaf305786b610ab"
FILE_HEAD: Final = (
    'Content-Type: audio/x-wav\r\nContent-Disposition: form-data; name="file"; filename="1b9d6bcd-bbfd-4b2d.wav"'
)


def test_a_recording_from_a_chat_comes_back_as_text(gateway: Gateway) -> None:
    """With the language of the user's settings, and headers about the user."""
    status, answer = send(gateway, language="en")
    assert (status, answer["text"]) == (200, "second 1. second 2.")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"language": "en-GB"}, "did you mean en?"),
        ({"model": "whisper-9"}, "The model 'whisper-9' does not exist here"),
    ],
)
def test_an_error_has_the_message_that_it_shows(gateway: Gateway, fields: dict[str, str], message: str) -> None:
    """People read it in the chat."""
    status, answer = send(gateway, **fields)
    assert status >= 400
    assert message in answer["error"]["message"]


def test_its_other_encoding_is_refused_with_what_to_do(gateway: Gateway) -> None:
    """The file in JSON, as base64: OpenAI's API has no such request."""
    body = {"model": "whisper-1", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    answer = gateway.request(
        "POST", "/v1/audio/transcriptions", json.dumps(body), {"Content-Type": "application/json"}
    )
    assert (answer.status, answer.body["error"]["code"]) == (400, "file_missing")
    assert "multipart/form-data" in answer.body["error"]["message"]


def send(gateway: Gateway, *, model: str = "whisper-1", language: str = "") -> tuple[int, dict[str, Any]]:
    """Send the request, byte for byte as aiohttp writes it, and return the answer."""
    body = text_part("model", model) + (text_part("language", language) if language else b"")
    body += f"--{BOUNDARY}\r\n{FILE_HEAD}\r\n\r\n".encode() + wav_bytes(2) + f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    try:
        connection.putrequest("POST", "/v1/audio/transcriptions", skip_accept_encoding=True)
        for name, value in {
            "Authorization": "Bearer sk-unused",
            "X-OpenWebUI-User-Name": "Kim",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "Python/3.11 aiohttp/3.14.5",
            "Content-Length": str(len(body)),
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def text_part(name: str, value: str) -> bytes:
    """Return a text field as aiohttp writes it."""
    head = f'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="{name}"'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n".encode()

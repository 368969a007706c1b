"""The models: a device that is lost, a language model server that is down, hangs, or serves another model."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from schemas.roles import Role
from tests.chaos.failures.failure import Expected, Failure, Line, Sample, SetUp, Setup
from tests.chaos.failures.provoked.lost_device import LOST_FILE
from tests.contract.vllm.vllm_double import MODEL, VllmDouble, running
from tests.integration.stack import PrivateStack

CONTEXT_TOKENS: Final = 4_096
PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/tokenize")
NO_MODEL: Final = (404, {"error": {"message": f"The model `{MODEL}` does not exist.", "type": "NotFoundError"}})
OTHER_MODEL: Final = (200, {"object": "list", "data": [{"id": "another", "max_model_len": CONTEXT_TOKENS}]})


@contextmanager
def _lost_device(_stack: PrivateStack, directory: Path) -> Iterator[Setup]:
    lost = directory / "lost"
    yield Setup(
        lambda _: lost.touch(),
        lambda _: lost.unlink(),
        settings={LOST_FILE: str(lost)},
        program="tests.chaos.failures.provoked.lost_device",
    )


def _double(begin: Callable[[VllmDouble], object], end: Callable[[VllmDouble], object]) -> SetUp:
    @contextmanager
    def set_up(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
        with running(VllmDouble(context_tokens=CONTEXT_TOKENS)) as double:
            yield Setup(lambda _: begin(double), lambda _: end(double), settings=_settings(double))

    return set_up


def _settings(double: VllmDouble) -> dict[str, str]:
    return {"KASCRIBE_VLLM_BASE_URL": double.base_url, "KASCRIBE_VLLM_MODEL": MODEL}


@contextmanager
def _server_gone(_stack: PrivateStack, _directory: Path) -> Iterator[Setup]:
    """End the server, so that nothing listens on its port, and start it again there."""
    double, server = VllmDouble(context_tokens=CONTEXT_TOKENS), ExitStack()
    server.enter_context(running(double))
    port = int(double.base_url.rpartition(":")[2])
    with server:
        yield Setup(
            lambda _: server.close(),
            lambda _: server.enter_context(running(double, port=port)),
            settings=_settings(double),
        )


def _hang(double: VllmDouble) -> None:
    double.stopped = True


def _go_on(double: VllmDouble) -> None:
    double.stopped = False


def _serve_another_model(double: VllmDouble) -> None:
    double.fixed_responses.update({"/v1/models": OTHER_MODEL})
    double.fixed_responses.update(dict.fromkeys(PATHS, NO_MODEL))


def _serve_it_again(double: VllmDouble) -> None:
    double.fixed_responses.clear()


def _row(name: str, title: str, provoked: str, set_up: SetUp, error: str) -> Failure:
    return Failure(
        name,
        title,
        provoked,
        set_up,
        Expected(
            ready="waiting for vllm",
            sample=Sample('kascribe_dependency_down{dependency="vllm"}'),
            line=Line("dependency is down", {"dependency": "vllm", "error": error}),
            work="intake pauses; done once the server answers, no attempt is counted",
        ),
        role=Role.ENRICHER,
    )


ROWS: Final = (
    Failure(
        "gpu-lost",
        "GPU lost",
        "a double of CTranslate2 raises CUDA's error in every call, then the jobs come; a supervisor starts the "
        "role again",
        _lost_device,
        Expected(
            ready="the engine hangs or is broken|no answer",
            sample=None,
            line=Line("engine hangs or is broken"),
            live="the engine hangs or is broken|no answer",
            exit_codes=(70,),
            retries=2,
            work="the process ends; the next one does it, what was in the failed calls as a retry",
        ),
    ),
    _row(
        "vllm-down",
        "vLLM down",
        "the language model server ends, then the jobs come; then it is started again",
        _server_gone,
        "refused|connect",
    ),
    _row(
        "vllm-hung",
        "vLLM hung",
        "the language model server accepts connections and answers nothing, then the jobs come; then it goes on",
        _double(_hang, _go_on),
        "time|answer",
    ),
    _row(
        "vllm-wrong-model",
        "vLLM with the wrong model",
        "the language model server serves another model than KASCRIBE_VLLM_MODEL, then the jobs come; then that",
        _double(_serve_another_model, _serve_it_again),
        "does not exist|another",
    ),
)

"""The Dockerfile's steps, run in their order in a fresh root: what they make starts, as the image's user."""

from pathlib import Path

import pytest

from deploy.images.dockerfile import Dockerfile, assignments, parse
from deploy.images.steps import ROOT, TARGETS, problems_of, walk_of_ours
from deploy.images.walking import StepFailed, Walk, why_not
from tests.support.listening import missing

SMALL = """# syntax=docker/dockerfile:1
ARG ORIGIN=debian:bookworm-slim
FROM ${ORIGIN} AS made
WORKDIR /made
COPY kept.txt ./
RUN --mount=type=cache,target=/kept \\
    # a comment between the lines
    cat kept.txt > copy.txt \\
    && touch /kept/used
FROM ${ORIGIN} AS final
ENV GREETING="hello there" \\
    PATH=/final:${PATH}
COPY --from=made /made /final
USER 10001:0
WORKDIR /final
HEALTHCHECK --interval=5s CMD ["false"]
ENTRYPOINT ["cat"]
CMD ["copy.txt"]
"""


@pytest.fixture
def _steps() -> None:
    """Skip where steps cannot be run: they need root and mount namespaces."""
    if why := why_not():
        missing(why)


def walk(text: str, tmp_path: Path, *, ignore: str = "") -> Walk:
    """Return a walk through a Dockerfile whose context is one file."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "kept.txt").write_text("kept\n")
    made = tmp_path / "made"
    made.mkdir()
    return Walk(
        parse(text),
        context=context,
        ignore=ignore,
        directory=made,
        caches={"/kept": tmp_path / "cache"},
        report=print,
    )


@pytest.mark.usefixtures("_steps")
def test_steps_change_the_image_and_nothing_else(tmp_path: Path) -> None:
    """Copies, runs, variables, users and caches as a builder has them; this machine stays as it was."""
    walked = walk(SMALL, tmp_path)
    final = walked.build("final")
    assert walked.run(final, [*final.entry_point, *final.command]).stdout == "kept\n"
    assert walked.run(final, ["sh", "-c", 'echo "$GREETING"; id -u; pwd']).stdout == "hello there\n10001\n/final\n"
    assert final.variables["PATH"].startswith("/final:/usr/local/sbin")
    assert (final.health_check, (tmp_path / "cache" / "used").exists()) == (["false"], True)
    assert walked.run(final, ["ls", "/made"]).returncode != 0
    assert walked.run(final, ["touch", "/usr/changed"]).returncode != 0
    assert walked.run(final, ["ls", "/root"]).stdout == ""
    assert not Path("/final").exists()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@pytest.mark.usefixtures("_steps")
@pytest.mark.parametrize(
    ("change", "ignore", "complaint"),
    [
        (("cat kept.txt", "cat lost.txt"), "", r"ended with 1:\n.*lost\.txt"),
        (("COPY kept.txt", "COPY lost.txt"), "", "is not in the context"),
        (("", ""), "*\n!other.txt", "dockerignore leaves it out"),
        (("cat kept.txt", "no-such-program"), "", "ended with 127"),
    ],
)
def test_a_step_that_fails_is_named(tmp_path: Path, change: tuple[str, str], ignore: str, complaint: str) -> None:
    """A file that is not sent to the builder, a program that the base has not, a command that fails."""
    with pytest.raises(StepFailed, match=f"(?s){complaint}"):
        walk(SMALL.replace(*change), tmp_path, ignore=ignore).build("final")


@pytest.mark.usefixtures("_steps")
def test_the_steps_of_a_role_s_image_make_a_role_that_starts(tmp_path: Path) -> None:
    """From the wheel to the entry point and the health check; `make images` walks through all images."""
    walked = walk_of_ours(tmp_path)
    assert problems_of(walked, walked.build("notifier")) == []


def test_every_target_is_a_stage_with_a_command_of_its_own() -> None:
    """Each role's image runs its role, as the user without privileges, and checks its health."""
    ours = _ours()
    for target in TARGETS:
        (command,) = [each.words for each in ours.stages[target].instructions if each.keyword == "CMD"]
        assert command == ["run", target]
        runtime = ours.stages["runtime"].instructions
        assert [each.rest for each in runtime if each.keyword == "USER"][-1] == "10001:0"
        assert {stage.name for stage in ours.needed(target)} >= {"tools", "wheel", f"{target}-packages", "runtime"}


def test_what_is_not_understood_is_refused() -> None:
    """A walk that passed over an instruction would prove nothing."""
    with pytest.raises(ValueError, match="ADD is no instruction"):
        parse("FROM debian:bookworm AS a\nADD x y\n")
    (stage,) = parse('FROM debian:bookworm AS a\nENV A=1 B="two words"\n').stages.values()
    assert assignments(stage.instructions[0]) == {"A": "1", "B": "two words"}


def _ours() -> Dockerfile:
    return parse((ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))

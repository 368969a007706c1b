"""``kascribe keys``: the API keys of the gateway."""

import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kascribe.commands.options import job_options
from kascribe.console.terminal import notify, one_line, write
from producers.api_keys.rights import Right
from schemas.errors import ConfigurationError
from schemas.options import Lane

if TYPE_CHECKING:
    from producers.api_keys.key import ApiKey, KeyDefaults
    from producers.api_keys.store import ApiKeys
    from producers.api_keys.usage import UsageStore

app: Final = typer.Typer(no_args_is_help=True)

USUAL_RIGHTS: Final = [Right.TRANSCRIBE, Right.ENRICH, Right.READ]
RIGHTS_HELP: Final = f"What it may do: {', '.join(Right)}; repeatable."
KEY_ID_CHARACTERS: Final = 12
DETAILS_INDENT: Final = 4
_DURATION: Final = re.compile(r"\d{1,9}[smhd]", re.ASCII)

AsJson = Annotated[bool, typer.Option("--json", help="One key per line, as JSON.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the key is for; shown in lists.", show_default=False)],
    tenant: Annotated[str, typer.Option(help="The tenant of every job that is started with the key.")],
    rights: Annotated[list[Right], typer.Option("--right", metavar="RIGHT", help=RIGHTS_HELP)] = USUAL_RIGHTS,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, max=60_000, help="At each gateway.")] = None,
    concurrent_requests: Annotated[int | None, typer.Option(min=1, help="At each gateway.")] = None,
    concurrent_streams: Annotated[
        int | None, typer.Option(min=1, help="Streams of events at each gateway.")
    ] = None,
    bytes_per_day: Annotated[int | None, typer.Option(min=1, help="Of uploads, at all gateways, in UTC.")] = None,
    lane: Annotated[Lane, typer.Option(help="bulk: its jobs never go before others.")] = Lane.INTERACTIVE,
    expires: Annotated[str | None, typer.Option(help="After 12h or 90d, or on a date; else never.")] = None,
    language: job_options.Language = None,
    languages: job_options.Languages = None,
    prompt: job_options.Prompt = None,
    hotwords: job_options.Hotwords = None,
    profiles: job_options.Profiles = None,
    instruction: job_options.Instruction = None,
    answer_language: job_options.AnswerLanguage = None,
    webhook_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Told of jobs of POST /v1/jobs that name no URL.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print its secret, once. Options of jobs apply to requests that give none.

    Examples:
        $ kascribe keys add web --tenant acme --expires 90d
    """
    from producers.api_keys.key import ApiKey, KeyLimits
    from schemas.clock import SystemClock
    from schemas.identity import random_id

    now = SystemClock().now()
    key = ApiKey(
        id=random_id()[:KEY_ID_CHARACTERS],
        name=name,
        tenant=_tenant(tenant),
        rights=tuple(dict.fromkeys(rights)),
        lane=lane,
        limits=KeyLimits(
            requests_per_minute=requests_per_minute,
            concurrent_requests=concurrent_requests,
            concurrent_streams=concurrent_streams,
            bytes_per_day=bytes_per_day,
        ),
        defaults=_defaults(
            {"language": language, "languages": languages, "initial_prompt": prompt, "hotwords": hotwords},
            profiles,
            instruction,
            answer_language,
        ).model_copy(update={"webhook_url": webhook_url and _webhook(webhook_url)}),
        created_at=now,
        expires_at=_expiry(expires, now=now) if expires else None,
    )
    secret = _stores()[0].issue(key)
    if as_json:
        write(_json({"secret": secret, **_row(key, now=now)}))
        return
    notify(f"key {key.id} of tenant {one_line(key.tenant)}; keep its secret now, it is not shown again:")
    write(secret)


@app.command("list")
def list_keys(
    everything: Annotated[bool, typer.Option("--all", help="Also expired and revoked keys.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the keys, oldest first, without their secrets; off a terminal one a line, with tabs between.

    Examples:
        $ kascribe keys list --all
    """
    from producers.api_keys.key import KeyState
    from schemas.clock import SystemClock

    keys, usage = _stores()
    now = SystemClock().now()
    found = [key for key in keys.all() if everything or key.state_at(now) is KeyState.ACTIVE]
    rows = [{**_row(key, now=now), "last_used_on": _day(usage, key.id)} for key in found]
    if as_json:
        for row in rows:
            write(_json(row))
    elif not rows:
        notify("no key: `kascribe keys add NAME --tenant TENANT` makes one")
    elif sys.stdout.isatty():
        _print_keys(rows)
    else:
        for row in rows:
            write("\t".join(_cells(row)))


@app.command()
def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="As `kascribe keys list` shows them.")],
    as_json: AsJson = False,
) -> None:
    """Revoke keys, within ten seconds at every gateway. Safe to repeat.

    Examples:
        $ kascribe keys revoke 1f0c8e7ab2d4
    """
    from schemas.clock import SystemClock

    keys, _ = _stores()
    for key_id in ids:
        now = SystemClock().now()
        revoked = keys.revoke(key_id, now=now)
        write(_json(_row(revoked, now=now)) if as_json else f"revoked {revoked.id} ({one_line(revoked.name)})")


def _stores() -> "tuple[ApiKeys, UsageStore]":
    from kascribe.commands.settings import stored_results
    from producers.api_keys.store import ApiKeys
    from producers.api_keys.usage import UsageStore
    from producers.s3 import create_client

    settings = stored_results().settings.s3
    client = create_client(settings)
    return ApiKeys(settings, client=client), UsageStore(settings, client=client)


def _tenant(written: str) -> str:
    tenant = written.strip()
    if not 1 <= len(tenant) <= 128:
        raise ConfigurationError("--tenant: name the tenant in 1 to 128 characters")
    return tenant


def _defaults(
    transcribe: dict[str, object], profiles: list[str] | None, instruction: str | None, language: str | None
) -> "KeyDefaults":
    from producers.api_keys.key import KeyDefaults

    enrich = job_options.enrich_options(profiles, instruction, language)
    options = job_options.transcribe_options(**transcribe)
    return KeyDefaults(
        transcribe=options.model_dump(mode="json", exclude_defaults=True),
        enrich=enrich.model_dump(mode="json", exclude_defaults=True) if enrich else {},
    )


def _webhook(url: str) -> str:
    from schemas.webhooks.addresses import address_of

    try:
        address_of(url)
    except ValueError as error:
        raise ConfigurationError(f"--webhook-url: {error}") from error
    return url


def _expiry(written: str, *, now: datetime) -> datetime:
    from schemas.moments import moment_of

    try:
        moment = moment_of(written, now=now)
    except ValueError as error:
        raise ConfigurationError(f"--expires {written!r}: {error}") from error
    # Elsewhere a duration is counted back from now.
    moment = now + (now - moment) if _DURATION.fullmatch(written) else moment
    if moment <= now + timedelta(0):
        raise ConfigurationError(f"--expires {written!r}: that is past; write 90d, or a day to come")
    return moment


def _row(key: "ApiKey", *, now: datetime) -> dict[str, Any]:
    return {"state": key.state_at(now).value, **key.model_dump(mode="json", exclude={"schema_version"})}


def _day(usage: "UsageStore", key_id: str) -> str | None:
    day = usage.last_day(key_id)
    return day.isoformat() if day else None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    day = slice(0, len("2026-11-22"))
    expires = (row["expires_at"] or "never")[day]
    cells = (row["id"], row["state"], row["tenant"], ",".join(row["rights"]), row["created_at"][day], expires)
    return tuple(map(one_line, (*cells, row["last_used_on"] or "never", row["name"])))


def _print_keys(rows: list[dict[str, Any]]) -> None:
    """Print each key's id, state, tenant and name in one line, never cut, and the rest below."""
    from rich.padding import Padding
    from rich.text import Text

    from kascribe.console.terminal import Screen

    console = Screen()
    for row in rows:
        key_id, state, tenant, rights, created, expires, last_used, name = _cells(row)
        console.print(Text.assemble((key_id, "bold"), f"  {state}  {tenant}  {name}"), soft_wrap=True)
        details = f"{rights}; created {created}, expires {expires}, last used {last_used}"
        console.print(Padding(Text(details, style="dim", overflow="fold"), (0, 0, 0, DETAILS_INDENT)))


def _json(row: dict[str, Any]) -> str:
    import json

    return json.dumps(row, ensure_ascii=False)

"""What the shell offers for an option's value. Called at every press of Tab: nothing here asks a server."""


def languages(incomplete: str) -> list[tuple[str, str]]:
    """Return the languages' codes that begin so, with their names."""
    from schemas.transcripts.languages import LANGUAGE_NAMES

    return [(code, name) for code, name in LANGUAGE_NAMES.items() if code.startswith(incomplete)]


def profiles(incomplete: str) -> list[str]:
    """Return the built-in profiles that begin so."""
    from models.vllm.enrichment.profiles import BUILT_IN_PROFILES

    names = (path.stem for path in sorted(BUILT_IN_PROFILES.glob("*.toml")))
    return [name for name in names if name.startswith(incomplete)]


def models(incomplete: str) -> list[tuple[str, str]]:
    """Return the short names of models that begin so, with their repositories."""
    from models.store import REPOSITORIES, SELFTEST

    known = {SELFTEST: "digits and a few commands; part of Kascribe", **REPOSITORIES}
    return [(name, repository) for name, repository in known.items() if name.startswith(incomplete)]


def stored_models(incomplete: str) -> list[str]:
    """Return the names of the models on this disk that begin so."""
    import os

    from kascribe.configuration.reading import load
    from models.store import ModelStore

    store = ModelStore.from_settings(load().settings.whisper, os.environ)
    names = (name for model in store.list() for name in (model.name, *model.short_names))
    return [name for name in names if name.startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Return the devices that begin so."""
    return [name for name in ("auto", "cuda", "cpu") if name.startswith(incomplete)]

"""Settings of object stores: one set for the process, from which pyarrow's, delta-rs's and Headwater's own requests take theirs.

A setting is named as delta-rs names it, in lower case (``aws_endpoint_url``); the environment has the same name in capitals. What the command
line gives counts first (``use_storage``), then the ``[storage]`` of a recipe, then the environment, then the shared files of AWS. Secrets are
taken from the environment, from those files, or from a file that is named (``aws_secret_access_key=@FILE``), and are shown nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from headwater.errors import UsageError, nearest
from headwater.untrusted import read_bounded

__all__ = [
    "AZURE",
    "GOOGLE",
    "RETRY_S",
    "S3",
    "SETTINGS",
    "Setting",
    "check_settings",
    "delta_options",
    "hide_secrets",
    "is_true",
    "kind_of_store",
    "parse_pairs",
    "plain_http",
    "region_of",
    "seconds",
    "settings_of",
    "use_storage",
    "worker_environment",
]

S3: Final = "s3"
GOOGLE: Final = "gs"
AZURE: Final = "az"
_SCHEMES: Final = {"s3": S3, "s3a": S3, "gs": GOOGLE, "gcs": GOOGLE, "az": AZURE, "abfs": AZURE, "abfss": AZURE}
_MOST_SECRET_BYTES: Final = 64 << 10
_HIDDEN: Final = "[hidden]"
_FIRST_REGION: Final = "us-east-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        meaning: in a few words, with its unit.
        also: further names of it; the environment has them in capitals.
        secret: never given on a command line or in a recipe, and never shown.
        ours: delta-rs does not know it.
    """

    meaning: str
    also: tuple[str, ...] = ()
    secret: bool = False
    ours: bool = False


SETTINGS: Final[dict[str, dict[str, Setting]]] = {
    S3: {
        "aws_access_key_id": Setting(meaning="whose key it is"),
        "aws_secret_access_key": Setting(meaning="the key", secret=True),
        "aws_session_token": Setting(meaning="what temporary keys need besides", also=("aws_token",), secret=True),
        "aws_region": Setting(meaning="region of the bucket", also=("aws_default_region",)),
        "aws_endpoint_url": Setting(
            meaning="address of a store other than AWS's own, with http:// or https://",
            also=("aws_endpoint_url_s3", "aws_endpoint"),
        ),
        "aws_allow_http": Setting(meaning="false refuses an address that begins with http://", also=("allow_http",)),
        "aws_virtual_hosted_style_request": Setting(meaning="true puts the bucket into the host's name"),
        "aws_skip_signature": Setting(meaning="true asks without any key, as for public buckets"),
        "aws_profile": Setting(meaning="profile in AWS's shared files", ours=True),
        "aws_conditional_put": Setting(meaning="etag says that the store honours If-None-Match, and spares the probe"),
    },
    GOOGLE: {
        "google_application_credentials": Setting(meaning="file with the keys of a service account or a user"),
        "google_skip_signature": Setting(meaning="true asks without any key, as for public buckets"),
    },
    AZURE: {
        "azure_storage_account_name": Setting(meaning="name of the storage account"),
        "azure_storage_account_key": Setting(meaning="key of the account", secret=True),
        "azure_storage_sas_token": Setting(
            meaning="a shared access signature", also=("azure_storage_sas_key",), secret=True
        ),
        "azure_storage_client_id": Setting(meaning="id of a service principal", also=("azure_client_id",)),
        "azure_storage_client_secret": Setting(
            meaning="secret of a service principal", also=("azure_client_secret",), secret=True
        ),
        "azure_storage_tenant_id": Setting(meaning="tenant of a service principal", also=("azure_tenant_id",)),
    },
}
"""Kind of store → its settings."""
_EVERY: Final = {
    "connect_timeout": Setting(meaning="seconds to wait for a connection, such as 5s"),
    "timeout": Setting(meaning="seconds to wait for an answer, such as 30s"),
    "retry_timeout": Setting(meaning="seconds for which a request that failed for a while is tried again, such as 60s"),
    "storage_scratch": Setting(
        meaning="folder for files that are being written until they are whole; by default that for temporary files",
        ours=True,
    ),
}
"""Settings of every kind of store; the environment has them with HEADWATER_ before."""
_PREFIX: Final = "headwater_"

_given: dict[str, str] = {}
_of_recipe: dict[str, str] = {}


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Return settings given as ``KEY=VALUE``.

    >>> parse_pairs(["aws_region=eu-west-1"])
    {'aws_region': 'eu-west-1'}

    Raises:
        UsageError: no pair; its text is not repeated, since it may hold a key.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError("expected KEY=VALUE for --storage, found no '=' or nothing before it")
        found[key.strip()] = value.strip()
    return found


def use_storage(options: Mapping[str, str], *, of_recipe: bool = False) -> None:
    """Let this process, and the Python workers of its Spark, use settings; they count before what the environment says.

    Args:
        options: name → value; a value ``@FILE`` is the content of a file, which a secret must be.
        of_recipe: they are those of a recipe, before which what was given otherwise counts.

    Raises:
        UsageError: an unknown name, a secret that stands there itself, a file that cannot be read.
    """
    taken = {}
    for name, value in check_settings(options).items():
        taken[name] = _read(name, value[1:]) if value.startswith("@") else value
    (_of_recipe if of_recipe else _given).update(taken)


def check_settings(options: Mapping[str, str]) -> dict[str, str]:
    """Return settings under the names that stand in ``SETTINGS``; no file is read.

    Raises:
        UsageError: an unknown name, or a secret that stands there itself.
    """
    known = {name: name for kind in (*SETTINGS.values(), _EVERY) for name in kind}
    known |= {other: name for kind in SETTINGS.values() for name, each in kind.items() for other in each.also}
    found: dict[str, str] = {}
    for given, value in options.items():
        name = known.get(given.lower())
        if name is None:
            raise UsageError(f"unknown storage setting {given[:60]!r}: {nearest(given.lower(), known)}")
        if name in _secret_names() and not value.startswith("@"):
            raise UsageError(
                f"expected @FILE for {name}, found the secret itself, which lists of processes and records of runs would show; "
                f"set {name.upper()} in the environment, use a profile, or name a file that holds it"
            )
        found[name] = value
    return found


def _read(name: str, path: str) -> str:
    try:
        return read_bounded(Path(path), _MOST_SECRET_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no short text"
        raise UsageError(f"cannot read the file {path} for {name}: {why}") from None


@lru_cache
def _secret_names() -> frozenset[str]:
    return frozenset(name for kind in SETTINGS.values() for name, each in kind.items() if each.secret)


def kind_of_store(uri: str) -> str | None:
    """Return which kind of store a URI is of, or None for a path and for anything else.

    >>> kind_of_store("s3://bucket/lake"), kind_of_store("/data/lake")
    ('s3', None)
    """
    scheme, marks, _ = uri.partition("://")
    return _SCHEMES.get(scheme.lower()) if marks else None


def settings_of(kind: str) -> dict[str, str]:
    """Return what is set for a kind of store; of AWS also what its shared files say where the environment has no keys."""
    found = {name: value for name, each in SETTINGS[kind].items() if (value := _value(name, each))}
    for name in _EVERY:
        if value := _given.get(name) or _of_recipe.get(name) or os.environ.get((_PREFIX + name).upper()):
            found[name] = value
    if kind == S3:
        of_files = _shared_files(found.get("aws_profile"))
        if not found.keys().isdisjoint(_KEYS):  # keys of two sources do not go together
            of_files = {name: value for name, value in of_files.items() if name not in _KEYS}
        found = of_files | found
    return found


_KEYS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def _value(name: str, setting: Setting) -> str | None:
    for held in (_given, _of_recipe):
        if name in held:
            return held[name]
    if name in _KEYS and any(key in held for held in (_given, _of_recipe) for key in _KEYS):
        return None  # keys of two sources do not go together
    for each in (name, *setting.also):
        if value := os.environ.get(each.upper()):
            return value
    return None


def _shared_files(profile: str | None) -> dict[str, str]:
    """Return keys, region and endpoint of a profile in the files that all tools of AWS share."""
    home = Path.home() / ".aws"
    keys = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    config = os.environ.get("AWS_CONFIG_FILE", str(home / "config"))
    named = profile or "default"
    sections = [
        _section(config, _stamp(config), named if named == "default" else f"profile {named}"),
        _section(keys, _stamp(keys), named),
    ]
    if profile and sections == [None, None]:
        raise UsageError(f"expected the profile {profile!r} in {keys} or {config}, found none; check aws_profile")
    found = {name: value for section in sections for name, value in (section or {}).items()}
    if "aws_secret_access_key" not in found:  # of a role: both libraries ask for its keys themselves
        found.pop("aws_access_key_id", None)
    return found


def _stamp(path: str) -> int:
    """Return when a file was last written, or 0 where there is none: ``/dev/null`` stands for no file too."""
    try:
        return Path(path).stat().st_mtime_ns if Path(path).is_file() else 0
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _section(path: str, stamp: int, name: str) -> dict[str, str] | None:
    """Return what a section of a shared file says of the settings here; None where there is no such section. ``stamp`` is for the cache."""
    if not stamp:
        return None
    import configparser  # where there is such a file only

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_bounded(Path(path), 1 << 20).decode())
    except (OSError, ValueError, configparser.Error) as error:
        raise UsageError(f"cannot read {path}: {type(error).__name__}; mend the file, or set aws_profile") from None
    if not parser.has_section(name):
        return None
    names = {
        "aws_access_key_id": "aws_access_key_id",
        "aws_secret_access_key": "aws_secret_access_key",
        "aws_session_token": "aws_session_token",
        "region": "aws_region",
        "endpoint_url": "aws_endpoint_url",
    }
    return {ours: value for theirs, ours in names.items() if (value := parser.get(name, theirs, fallback=""))}


def is_true(settings: Mapping[str, str], name: str) -> bool:
    """Return whether a setting is set, to ``true``, ``1``, ``yes`` or ``on``."""
    return settings.get(name, "").lower() in ("true", "1", "yes", "on")


def seconds(settings: Mapping[str, str], name: str, default: float) -> float:
    """Return a setting that is a time, such as ``5s``, ``500ms`` or ``2m``, in seconds.

    >>> seconds({"timeout": "500ms"}, "timeout", 30)
    0.5

    Raises:
        UsageError: it is no time.
    """
    given = settings.get(name)
    if given is None:
        return default
    parts = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(ms|s|m|)", given)
    if parts is None:
        raise UsageError(f"expected a time such as 30s for {name}, found {given[:40]!r}")
    return float(parts[1]) * {"ms": 0.001, "m": 60.0}.get(parts[2], 1.0)


def plain_http(settings: Mapping[str, str]) -> bool:
    """Return whether the endpoint is asked without encryption.

    Raises:
        UsageError: it would be, and ``aws_allow_http`` is false.
    """
    endpoint = settings.get("aws_endpoint_url", "")
    if not endpoint.startswith("http://"):
        return False
    if "aws_allow_http" in settings and not is_true(settings, "aws_allow_http"):
        raise UsageError(
            f"expected https:// in aws_endpoint_url, since aws_allow_http is {settings['aws_allow_http']}, found {endpoint!r}"
        )
    return True


def delta_options(uri: str) -> dict[str, str]:
    """Return the settings as delta-rs takes them (``storage_options``); none for a folder of this machine."""
    kind = kind_of_store(uri)
    if kind is None:
        return {}
    settings = settings_of(kind)
    known = SETTINGS[kind] | _EVERY
    options = {name: value for name, value in settings.items() if not known[name].ours}
    if kind == S3:
        options |= {"aws_allow_http": "true" if plain_http(settings) else "false"}
        options["aws_region"] = region_of(settings, uri.partition("://")[2].partition("/")[0])
    for name, default in (("connect_timeout", 5.0), ("timeout", 60.0), ("retry_timeout", RETRY_S)):
        options[name] = f"{max(1, round(seconds(settings, name, default)))}s"
    options["max_retries"] = "20"
    return options


def region_of(settings: Mapping[str, str], bucket: str) -> str:
    """Return the region that is set; where none is, AWS is asked for the bucket's, and a store of another address has the first one's name."""
    found = settings.get("aws_region")
    if found:
        return found
    return _FIRST_REGION if settings.get("aws_endpoint_url") else _region_at_aws(bucket)


@lru_cache
def _region_at_aws(bucket: str) -> str:
    from pyarrow import fs as pafs

    try:
        return str(pafs.resolve_s3_region(bucket))
    except OSError:
        return _FIRST_REGION  # no such bucket, or nobody answers: whoever asks for it next says so


RETRY_S: Final = 60.0
"""For how long a request that failed for a while is tried again, where nothing else is set, seconds."""


def worker_environment() -> dict[str, str]:
    """Return what the environment of Python workers must hold so that the same settings are found there; it may hold secrets."""
    found: dict[str, str] = {}
    for kind in SETTINGS:
        settings = _settings_if_sound(kind)
        if "aws_secret_access_key" in settings:
            settings.pop("aws_profile", None)  # its keys go along: a machine of a cluster need not have the file
        for name, value in settings.items():
            found[(_PREFIX + name if name in _EVERY else name).upper()] = value
    return found


def _settings_if_sound(kind: str) -> dict[str, str]:
    """Return the settings of a kind of store, none where its files are wrong: whoever opens such a store is told so."""
    try:
        return settings_of(kind)
    except UsageError:
        return {}


def hide_secrets(text: str) -> str:
    """Return a text without any secret that is set, and without a shared access signature in an address."""
    shown = re.sub(r"([?&](?:sig|sas|X-Amz-[A-Za-z-]+)=)[^&\s\"'<]+", rf"\1{_HIDDEN}", text)
    for kind in SETTINGS:
        for name, value in _settings_if_sound(kind).items():
            if name in _secret_names() and len(value) >= 6:
                shown = shown.replace(value, _HIDDEN)
    return shown

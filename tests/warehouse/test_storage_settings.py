"""Settings of object stores: which counts, what is refused, what is shown, and which error a store's answer is."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import fs as pafs

from headwater import errors
from headwater.cli.root import cli
from headwater.errors import RecipeError, UsageError
from headwater.pipelines.recipe.job import parse_recipe, read_toml
from headwater.pipelines.recipe.shipped import find_recipe
from headwater.warehouse import storage
from headwater.warehouse.filesystem import filesystem_of
from headwater.warehouse.storage import (
    S3,
    delta_options,
    hide_secrets,
    parse_pairs,
    settings_of,
    use_storage,
    worker_environment,
)
from headwater.warehouse.storage_errors import store_error

SECRET = "a-secret-of-the-test-7hq2"  # noqa: S105 - it opens nothing


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine's, and none of another test's."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "HEADWATER_RETRY")):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / f"no-{name}"))
    monkeypatch.setattr(storage, "_given", {})
    monkeypatch.setattr(storage, "_of_recipe", {})


def test_what_is_given_counts_before_the_recipe_and_that_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command line, then the recipe, then the environment."""
    monkeypatch.setenv("AWS_REGION", "of-environment")
    assert settings_of(S3)["aws_region"] == "of-environment"
    use_storage({"aws_default_region": "of-recipe"}, of_recipe=True)
    assert settings_of(S3)["aws_region"] == "of-recipe"
    use_storage(parse_pairs(["AWS_REGION=given"]))
    use_storage({"aws_region": "of-recipe"}, of_recipe=True)
    assert settings_of(S3)["aws_region"] == delta_options("s3://b/lake")["aws_region"] == "given"


def test_a_profile_gives_what_the_environment_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys, region and endpoint of a profile; keys of the environment are never mixed with those of a file."""
    (tmp_path / "keys").write_text(f"[team]\naws_access_key_id = AKFILE\naws_secret_access_key = {SECRET}\n")
    (tmp_path / "config").write_text("[profile team]\nregion = eu-north-1\nendpoint_url = https://store.example\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    found = settings_of(S3)
    assert (found["aws_access_key_id"], found["aws_secret_access_key"]) == ("AKFILE", SECRET)
    assert (found["aws_region"], found["aws_endpoint_url"]) == ("eu-north-1", "https://store.example")
    assert worker_environment()["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert "AWS_PROFILE" not in worker_environment()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    assert "aws_secret_access_key" not in settings_of(S3)
    with (tmp_path / "config").open("a") as config:
        config.write("[profile role]\nsso_session = team\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "role")
    assert settings_of(S3) == {"aws_profile": "role"}
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert worker_environment() == {}
    with pytest.raises(UsageError, match="expected the profile 'nobody'"):
        settings_of(S3)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["aws_regoin=x"], "unknown storage setting 'aws_regoin': did you mean 'aws_region'"),
        ([f"aws_secret_access_key={SECRET}"], "expected @FILE for aws_secret_access_key, found the secret itself"),
        ([f"azure_storage_account_key={SECRET}"], "set AZURE_STORAGE_ACCOUNT_KEY in the environment"),
        (["aws_secret_access_key=@/no/such/file"], "cannot read the file /no/such/file for aws_secret_access_key"),
        ([SECRET], "expected KEY=VALUE"),
    ],
)
def test_wrong_settings_are_refused_and_secrets_not_repeated(pairs: list[str], message: str) -> None:
    """Exit 2, one line, no secret in it."""
    done = CliRunner().invoke(cli, ["log", "/no/lake", "--storage", *pairs])
    assert (done.exit_code, message in done.output, SECRET in done.output) == (2, True, False), done.output


def test_a_secret_of_a_file_is_used_and_hidden(tmp_path: Path) -> None:
    """``@FILE`` is read; delta-rs and workers get the secret, messages and pickled file systems do not."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    use_storage({"aws_access_key_id": "AK", "aws_secret_access_key": f"@{tmp_path / 'secret'}", "aws_region": "x"})
    assert (
        delta_options("s3://b/lake")["aws_secret_access_key"] == worker_environment()["AWS_SECRET_ACCESS_KEY"] == SECRET
    )
    assert SECRET not in hide_secrets(f"<StringToSign>{SECRET}</StringToSign>")
    assert SECRET.encode() not in pickle.dumps(filesystem_of("s3://bucket/lake")[0])
    assert delta_options("/data/lake") == {}


def test_the_region_is_asked_for_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS is asked for a bucket's region once; a store of another address is not AWS's; one that is set counts."""
    asked: list[str] = []

    def answer(bucket: str) -> str:
        asked.append(bucket)
        return "eu-west-3"

    monkeypatch.setattr(pafs, "resolve_s3_region", answer)
    for _ in range(2):
        assert delta_options("s3://asked-bucket/lake")["aws_region"] == "eu-west-3"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://store.example")
    assert delta_options("s3://asked-bucket/lake")["aws_region"] == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert delta_options("s3://asked-bucket/lake")["aws_region"] == "eu-north-1"
    assert asked == ["asked-bucket"]


def test_plain_http_is_refused_where_it_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without encryption is taken as it is named, unless aws_allow_http says no."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert delta_options("s3://b/lake")["aws_allow_http"] == "true"
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")
    for ask in (delta_options, filesystem_of):
        with pytest.raises(UsageError, match="expected https:// in aws_endpoint_url"):
            ask("s3://b/lake")


def test_storage_is_no_part_of_a_recipes_identity(tmp_path: Path) -> None:
    """A recipe with [storage] has the fingerprint and the literals that it has without; a secret in it is refused unshown."""
    plain = find_recipe("demo")
    raw = read_toml(Path(errors.__file__).parent / "recipes" / "demo.toml")
    named = parse_recipe(dict(raw) | {"storage": {"aws_endpoint_url": "https://store.example", "retry_timeout": "5s"}})
    assert named.fingerprint == plain.fingerprint
    assert "store.example" not in json.dumps(named.literals)
    assert parse_recipe(named.literals).fingerprint == plain.fingerprint
    named.storage.use()
    assert settings_of(S3)["aws_endpoint_url"] == "https://store.example"
    for wrong, message in (
        ({"aws_secret_access_key": SECRET}, "found the secret itself"),
        ({"aws_region": 1}, "expected a text in quotes"),
        ({"aws_regoin": "x"}, "did you mean"),
        ("x", "expected a table"),
    ):
        with pytest.raises(RecipeError, match=message) as refused:
            parse_recipe(dict(raw) | {"storage": wrong})
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "When getting information for key 'x': AWS Error ACCESS_DENIED during HeadObject operation: No response body.",
            "StoreDeniedError",
        ),
        ("AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2 operation", "StoreDeniedError"),
        (
            "Generic S3 error ↳ 403 Forbidden ↳ <?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code></Error>",
            "StoreDeniedError",
        ),
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation", "StoreAbsentError"),
        (
            "AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, Could not connect to server",
            "StoreUnreachableError",
        ),
        (
            "AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 18, Transferred a partial file",
            "StoreTransientError",
        ),
        ("AWS Error SLOW_DOWN during GetObject operation: Please reduce", "StoreTransientError"),
        ("AWS Error UNKNOWN (HTTP status 502) during GetObject operation", "StoreTransientError"),
        ("Generic S3 error ↳ Server returned non-2xx status code ↳ 503 Service Unavailable", "StoreTransientError"),
        ("Couldn't deserialize thrift: No more data to read.", None),
        (
            "Invalid: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.",
            None,
        ),
        ("Invalid JSON in log record, line=`{`, err=EOF while parsing an object at line 1 column 1", None),
    ],
)
def test_answers_of_stores_are_told_apart(text: str, kind: str | None) -> None:
    """Denied, absent, unreachable, failed for a while; complaints about bytes are no answer of a store."""
    found = store_error(OSError(text), "read s3://bucket/key")
    assert (None if found is None else type(found).__name__) == kind
    assert found is None or ("<?xml" not in str(found) and "s3://bucket/key" in str(found))

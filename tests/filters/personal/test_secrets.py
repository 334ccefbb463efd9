"""Secrets by shape and by entropy, and what only looks like one; every key is made of random characters at run time or documented as none."""

from __future__ import annotations

import random
import string
import time

import numpy as np
import pytest

from headwater.filters.personal.secret_kinds import ALPHABETS, secret_rules
from headwater.filters.personal.secrets import bits_a_character, find_secrets


def found_in(text: str) -> list[tuple[str, str, str]]:
    """Type, variant and value of what is found; places of one text are checked against it."""
    data = text.encode()
    return [
        (each.operator.removeprefix("secret:"), each.variant, data[each.begin : each.end].decode())
        for each in find_secrets(np.frombuffer(data, np.uint8), np.array([0, len(data)], np.int64))
    ]


def random_text(alphabet: str, count: int, seed: int = 0) -> str:
    """Characters of an alphabet, a digit and a letter among them where it has both."""
    rng = random.Random(f"{alphabet}/{count}/{seed}")
    return "".join(rng.choices(alphabet, k=count - 2)) + ("b2" if {"b", "2"} <= set(alphabet) else "QZ"[:2])


PASSWORD = random_text(string.ascii_letters + string.digits, 18, 3)
RULES = [rule for rule in secret_rules() if rule[0] not in {"jwt", "notion"}]


@pytest.mark.parametrize(("variant", "prefix", "alphabet", "least", "most"), RULES, ids=str)
def test_keys_of_every_rule(variant: str, prefix: str, alphabet: str, least: int, most: int) -> None:
    """A key of the least and the most length of its rule is found between quotes; one byte less or more is none of this rule's."""
    letters = ALPHABETS[alphabet].translate(str.maketrans("", "", "-_.=~/"))
    if alphabet == "hex":
        letters = ALPHABETS[alphabet]
    for size in {max(least, 16), most}:
        if not least <= size <= most:
            continue
        key = prefix + random_text(letters, size)
        assert ("api_key", variant, key) in found_in(f'x = "{key}" # note')
    if least > 16 and prefix not in {"sk-ant-api03-", "sk-ant-admin01-"}:  # of which a shorter prefix is known
        assert ("api_key", variant) not in {
            each[:2] for each in found_in(f"x {prefix + random_text(letters, least - 1)} y")
        }
    assert ("api_key", variant) not in {
        each[:2] for each in found_in(f"x {prefix + random_text(letters, most + 1)} y")
    } or variant in {"anthropic", "openai", "slack"}


def test_a_key_inside_a_word_is_none() -> None:
    """A prefix in the middle of a word begins no key."""
    assert found_in("xghp_" + random_text(string.ascii_letters + string.digits, 36)) == []


def test_json_web_tokens() -> None:
    """Three parts, of which the first is a JSON object that names an algorithm; the payload does not matter."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9." + random_text(string.ascii_letters, 43)
    assert found_in(f"Bearer {token}.") == [("api_key", "jwt", token)]
    assert found_in("eyJub3QiOiJhIHRva2VuIn0.eyJzdWIiOiIxMjM0NSJ9." + random_text(string.ascii_letters, 43)) == []
    assert found_in("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9") == []


def test_private_keys_whole() -> None:
    """A private key is found from its first dash to its last, with line ends of JSON too; a public key or a certificate is none."""
    body = random_text(string.ascii_letters + string.digits + "+/", 64)
    for line_end in ("\n", "\r\n", "\\n"):
        for kind in ("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
            block = line_end.join([f"-----BEGIN {kind}-----", body, body, f"-----END {kind}-----"])
            assert found_in(f"key: {block} end") == [("private_key", "pem", block)]
    for kind in ("PUBLIC KEY", "CERTIFICATE"):
        assert found_in(f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----") == []
    cut = f"-----BEGIN PRIVATE KEY-----\n{body}\n{body}"
    assert found_in(cut) == [("private_key", "pem", cut)]


def test_tokens_known_by_their_middle() -> None:
    """A bot's token has digits, a colon and AA; an Entra client secret a digit and Q~ at its fourth place; both at the end of a text too."""
    bot = "123456789:AA" + random_text(string.ascii_letters + string.digits, 33)
    assert found_in(bot) == [("api_key", "telegram", bot)]
    assert found_in(f"https://api.telegram.org/bot{bot}/getMe") == [("api_key", "telegram", bot)]
    entra = "a~B8Q~" + random_text(string.ascii_letters + string.digits, 33)
    assert found_in(f"id {entra}") == [("api_key", "azure", entra)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('password = "', '"'),
        ("DB_PASSWORD=", "\n"),
        ("export API_TOKEN='", "'"),
        ('"clientSecret": "', '",'),
        ('{\\"api_key\\": \\"', '\\"}'),
        ("Authorization: Bearer ", "\n"),
        ("password: ", " and"),
        ("$config['secret_key'] = '", "';"),
        ("**Password:** ", "\n"),
        ("Passwort：", "。"),
        ("пароль: ", "\n"),
        ("Пароль: ", "\n"),
        ("smtp_pass='", "'"),
        ("consumer_key = '", "'"),
        ("?access_key=", "&page=2"),
        ("https://user:", "@db.host.org/x"),
        ("postgresql+psycopg2://u:", "@10.0.0.1:5432/db"),
    ],
)  # fmt: skip
def test_passwords_of_assignments(before: str, after: str) -> None:
    """What is given to a name that ends like a password's is found without its quotes, whatever the notation; so is a URL's."""
    assert [each[2] for each in found_in(f"{before}{PASSWORD}{after}")] == [PASSWORD]


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme"', 'api_key = "<your-api-key>"', "TOKEN=${API_TOKEN}", "TOKEN=$API_TOKEN1x", "AKIAIOSFODNN7EXAMPLE",
        'secret: "xxxxxxxxxxxxxxxxxxxx"', "postgres://user:password@localhost/db", 'password = getpass("Password: ")',
        "token = self.next_token()", "sk-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        'password = os.environ["DB_PASSWORD"]', "password: string", "token: 1234567890", 'token = "2024-01-01"', "if token == Token.NAME1:",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8", 'integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"',
        "secret = 123e4567-e89b-42d3-a456-426614174000", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        'var a=function(t,e){return t.token=e.key?1:2}', "group_name:password:GID:user_list", "https://host:8080/path@v2", "http://a:b@c",
        "The secret of success: work hard every day", "csrf_token = 'k3J9sQ2mZx81LpQa'", "next_page_token: 'k3J9sQ2mZx81LpQa'",
        "password: {{ vault_password9 }}", "password = config.DB_PASS1", "std::string token = \"NUMBER_LITERAL\";", "pwd=/data/user1/src",
        "-----BEGIN PRIVATE KEY-----\nshort", "key: 'password'",
    ],
)  # fmt: skip
def test_what_is_no_secret(text: str) -> None:
    """Placeholders, expressions, digests, dates, paths and words of prose are not found."""
    assert found_in(text) == []


def test_places_are_of_their_row() -> None:
    """Rows and places are counted within each text, and nothing reaches over the border of two."""
    key = "ghp_" + random_text(string.ascii_letters + string.digits, 36)
    texts = [key[:20], key[20:], f"ü {key}"]
    data = "".join(texts).encode()
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    assert [(each.row, each.begin, each.end) for each in find_secrets(np.frombuffer(data, np.uint8), offsets)] == [
        (2, 3, 43)
    ]


def test_bits_of_a_character() -> None:
    """Entropy is the logarithm of the number of characters where all are equally frequent."""
    assert bits_a_character("") == 0.0
    assert bits_a_character("abcdefgh") == pytest.approx(3.0)


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ.",
        "sk-",
        "password=",
        "-----BEGIN PRIVATE KEY",
        "://a:",
        "1:AA",
        "Q~",
        'token:"',
        "api_key=&",
        "AKIA",
        "=",
        "12345678:AAbcd",
    ],
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    """300 KB of anything repeated are done in less than two seconds of the processor: a search that reads again would take minutes."""
    data = np.frombuffer((unit * (300_000 // len(unit))).encode(), np.uint8)
    begun = time.process_time()
    find_secrets(data, np.array([0, len(data)]))
    assert time.process_time() - begun < 2.0

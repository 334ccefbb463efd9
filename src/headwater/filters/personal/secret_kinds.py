"""What secrets look like: prefixes as a trie, from ``data/personal/secrets.toml``, and the names that a password or key is assigned to."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.filters.personal.tries import byte_trie

__all__ = [
    "ALNUM",
    "ALPHABETS",
    "DOTTED",
    "SECRET_NAMES",
    "WORD",
    "PrefixTrie",
    "name_table",
    "prefix_trie",
    "secret_rules",
]

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
ALPHABETS: Final = {
    "alnum": _LETTERS + _DIGITS,
    "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "dotted": _LETTERS + _DIGITS + "_-.=~",
    "hex": _DIGITS + "abcdef",
    "letters": _LETTERS,
    "lower": _LETTERS[26:] + _DIGITS,
    "path": _LETTERS + _DIGITS + "/",
    "word": _LETTERS + _DIGITS + "_-",
}
"""Name → the bytes that the random part of a token may have; a trie has them in the order of their names."""
ALNUM, DOTTED, WORD = (sorted(ALPHABETS).index(name) for name in ("alnum", "dotted", "word"))

SECRET_NAMES: Final = (
    "-pass", "_pass", "access key", "access-key", "access_key", "accesskey", "accountkey", "adgangskode", "api key",
    "api-key", "api-token", "api_key", "apikey", "app_key", "app_secret", "appkey", "auth_key", "authkey",
    "authorization", "clientsecret", "consumer_key", "consumerkey", "contrasena", "dbpass", "encryption_key", "haslo",
    "heslo", "kennwort", "kodeord", "license_key", "licensekey", "lozinka", "parola", "passcode", "passord",
    "passphrase", "passwd", "password", "passwort", "private_key", "privatekey", "pwd", "salasana", "secret",
    "secret key", "secret-key", "secret_key", "secretkey", "senha", "signing_key", "signingkey", "token",
    "wachtwoord", "contraseña", "hasło", "jelszó", "lösenord", "şifre", "κωδικός", "пароль", "סיסמה", "گذرواژه",
    "パスワード", "密码", "密碼", "비밀번호",
)  # fmt: skip
"""How the name of a variable, a field or a line ends that a password or a key follows, in lower case."""


class PrefixTrie(NamedTuple):
    """The prefixes of keys.

    Attributes:
        next: int16 [states, 256]; 0 where nothing goes on.
        rule: int16 [states], the rule whose prefix ends there, -1 where none does.
        limits: int64 [rules, 3]: number of the alphabet, least and most bytes after the prefix.
        alphabets: bool [alphabets, 256].
    """

    next: npt.NDArray[np.int16]
    rule: npt.NDArray[np.int16]
    limits: npt.NDArray[np.int64]
    alphabets: npt.NDArray[np.bool_]


@functools.cache
def secret_rules() -> list[tuple[str, str, str, int, int]]:
    """Return the rules, by variant and prefix: variant, prefix, alphabet, least and most bytes."""
    text = resources.files("headwater.filters").joinpath("data/personal/secrets.toml").read_text("utf-8")
    return [(variant, *shape) for variant, shapes in sorted(tomllib.loads(text).items()) for shape in shapes]


@functools.cache
def prefix_trie() -> PrefixTrie:
    """Return the trie of all prefixes, made at its first use."""
    rules = secret_rules()
    steps, ends = byte_trie(((rule[1].encode(), number) for number, rule in enumerate(rules)), nothing=-1)
    names = sorted(ALPHABETS)
    alphabets = np.zeros((len(names), 256), np.bool_)
    for row, name in enumerate(names):
        alphabets[row, list(ALPHABETS[name].encode())] = True
    limits = np.array([(names.index(alphabet), least, most) for _, _, alphabet, least, most in rules], np.int64)
    return PrefixTrie(steps, ends, limits, alphabets)


@functools.cache
def name_table() -> npt.NDArray[np.int16]:
    """Return the trie of ``SECRET_NAMES`` read backwards: int16 [states, 256]; negative where a name is whole.

    The last state that a walk passes with a sign says that the bytes so far are a name.
    """
    # Letters of ASCII are read in both cases below; of others, words begin with a capital or are all capitals.
    others = {case for name in SECRET_NAMES if not name.isascii() for case in (name.title(), name.upper())}
    names = (*SECRET_NAMES, *sorted(others - set(SECRET_NAMES)))
    steps, whole = byte_trie(((name.encode().lower()[::-1], 1) for name in names), nothing=0)
    table = np.where(whole[steps] == 1, -steps, steps)
    table[:, 65:91] = table[:, 97:123]
    return table

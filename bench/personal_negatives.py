"""Hard negatives of the evaluation set: what looks like a personal value or a secret and is none."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Final

__all__ = ["NEGATIVES", "make_negative"]

HEXADECIMAL: Final = "0123456789abcdef"


def _digits(rng: random.Random, count: int) -> str:
    return rng.choice("123456789") + "".join(rng.choices(string.digits, k=count - 1))


def _hexadecimal(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(HEXADECIMAL, k=count))


def _isbn(rng: random.Random) -> str:
    body = "978" + _digits(rng, 9)
    total = sum(int(digit) * (1, 3)[i % 2] for i, digit in enumerate(body))
    text = body + str(-total % 10)
    return rng.choice(
        [f"ISBN {text}", f"ISBN {text[:3]}-{text[3]}-{text[4:8]}-{text[8:12]}-{text[12]}", f"ISBN: {_digits(rng, 9)}X"]
    )


def _chess(rng: random.Random) -> str:
    moves = ["e4 e5", "Nf3 Nc6", "Bb5 a6", "Ba4 Nf6", "O-O Be7", "Re1 b5", "Bb3 d6", "c3 O-O", "h3 Nb8", "d4 Nbd7"]
    return " ".join(f"{number}. {move}" for number, move in enumerate(moves[: rng.randint(4, 10)], 1)) + " 1/2-1/2"


def _time(rng: random.Random) -> str:
    year, month, day, hour = rng.randint(1990, 2026), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23)
    return rng.choice(
        [
            f"{year}-{month:02}-{day:02}T{hour:02}:12:44.512Z",
            f"{day:02}.{month:02}.{year} {hour:02}:05",
            str(rng.randint(10**9, 2 * 10**9)),
            str(rng.randint(10**12, 2 * 10**12)),
            f"{year}{month:02}{day:02}{hour:02}1244",
            f"{day:02}/{month:02}/{year}-{day + 1:02}/{month:02}/{year}",
        ]
    )


def _score(rng: random.Random) -> str:
    sets = ", ".join(f"{rng.randint(0, 7)}-{rng.randint(0, 7)}" for _ in range(3))
    return f"{sets}; {rng.randint(1900, 2026)}-{rng.randint(10, 99)} season, pp. {rng.randint(100, 300)}-{rng.randint(301, 999)}"


def _table(rng: random.Random) -> str:
    return "\n".join("\t".join(_digits(rng, rng.randint(2, 6)) for _ in range(6)) for _ in range(4))


NEGATIVES: Final[dict[str, Callable[[random.Random], str]]] = {
    "arxiv": lambda r: f"arXiv:{r.randint(10, 26)}{r.randint(1, 12):02}.{_digits(r, 5)}v{r.randint(1, 4)} [cs.CL]",
    "at": lambda r: r.choice(
        [
            "@property\n    def size(self):",
            "@angular/core@17.3.0",
            "user@host:~$ ls",
            "s@t=2 and 3@5 rates",
            "icon@2x.png",
            "we met at noon dot by dot",
        ]
    ),
    "chess": _chess,
    "commit": lambda r: f"commit {_hexadecimal(r, 40)}\nMerge: {_hexadecimal(r, 7)} {_hexadecimal(r, 7)}",
    "coordinates": lambda r: f"{r.uniform(-89, 89):.6f}, {r.uniform(-179, 179):.6f}",
    "cpp": lambda r: r.choice(
        [
            "std::vector<int>::iterator it = a::b::c();",
            "::operator new(8)",
            "dead::beef_type x;",
            "abc::def::fed(1)",
            "use std::fmt::{self};",
            "a[1::2], b[::3]",
        ]
    ),
    "digest": lambda r: r.choice(
        [
            f"sha256:{_hexadecimal(r, 64)}",
            f'integrity="sha384-{"".join(r.choices(string.ascii_letters + string.digits, k=64))}"',
            f"md5 {_hexadecimal(r, 32)}",
        ]
    ),
    "doi": lambda r: r.choice(
        [
            f"doi:10.{_digits(r, 4)}/s{_digits(r, 5)}-0{_digits(r, 2)}-{_digits(r, 5)}-{r.randint(0, 9)}",
            f"https://doi.org/10.1016/j.cell.20{r.randint(10, 24)}.0{r.randint(1, 9)}.{_digits(r, 3)}",
        ]
    ),
    "issn": lambda r: f"ISSN {_digits(r, 4)}-{_digits(r, 4)}",
    "latex": lambda r: r.choice(
        [
            r"$\frac{1234567890}{3.14159265}$",
            r"$x_{12}^{34} + 10^{-12} = 6.02214076 \times 10^{23}$",
            r"\pi = 3.14159\,26535\,89793\,23846",
            r"$$\sum_{i=1}^{100000} 2^{i}$$",
            r"\cite{smith2019:1234567}",
        ]
    ),
    "mac": lambda r: r.choice([":", "-"]).join(_hexadecimal(r, 2) for _ in range(6)),
    "matrix": lambda r: "[" + ", ".join(_digits(r, r.randint(1, 4)) for _ in range(12)) + "]",
    "order": lambda r: r.choice(
        [
            f"Order #{_digits(r, 10)}",
            f"Invoice no. {_digits(r, 8)}-{_digits(r, 3)}",
            f"tracking 1Z{''.join(r.choices(string.ascii_uppercase + string.digits, k=16))}",
            f"SKU {_digits(r, 4)}-{_digits(r, 4)}-{r.choice('ABC')}",
        ]
    ),
    "part": lambda r: r.choice(
        [
            f"BC{_digits(r, 3)}-{_digits(r, 5)}",
            f"LM{_digits(r, 4)}CT-3.3/NOPB",
            f"EAN {_digits(r, 13)}",
            f"M{_digits(r, 2)}x{_digits(r, 3)} DIN {_digits(r, 3)}",
            f"US {_digits(r, 1)},{_digits(r, 3)},{_digits(r, 3)} B2",
        ]
    ),
    "placeholder": lambda r: r.choice(
        [
            'password = "changeme"',
            'api_key = "<your-api-key>"',
            "TOKEN=${API_TOKEN}",
            "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
            'secret: "xxxxxxxxxxxxxxxxxxxx"',
            "postgres://user:password@localhost/db",
            'password = getpass("Password: ")',
            "token = self.next_token()",
            "sk-XXXXXXXXXXXXXXXXXXXXXXXX",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            'password = os.environ["DB_PASSWORD"]',
        ]
    ),
    "price": lambda r: r.choice(
        [
            f"{_digits(r, 1)}.{_digits(r, 3)}.{_digits(r, 3)},{_digits(r, 2)} €",
            f"${_digits(r, 2)},{_digits(r, 3)},{_digits(r, 3)}",
            f"Rp {_digits(r, 3)}.{_digits(r, 3)}.{_digits(r, 3)}",
            f"{_digits(r, 2)} {_digits(r, 3)} {_digits(r, 3)} Kč",
        ]
    ),
    "score": _score,
    "section": lambda r: f"§ {r.randint(1, 20)}.{r.randint(1, 20)}.{r.randint(1, 20)}.{r.randint(1, 20)} Scope",
    "table": _table,
    "time": _time,
    "uuid": lambda r: (
        f"{_hexadecimal(r, 8)}-{_hexadecimal(r, 4)}-4{_hexadecimal(r, 3)}-a{_hexadecimal(r, 3)}-{_hexadecimal(r, 12)}"
    ),
    "version": lambda r: r.choice(
        [
            f"v{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 99)}.{r.randint(0, 99)}",
            f"Chrome/{r.randint(80, 130)}.0.{_digits(r, 4)}.{_digits(r, 2)} Safari/537.36",
            f"version {r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 20)}.{r.randint(0, 200)}",
            f"numpy=={r.randint(1, 2)}.{r.randint(0, 26)}.{r.randint(0, 9)}",
            f"libfoo-{r.randint(1, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}.tar.gz",
        ]
    ),
}
"""Name of a kind → maker of one."""


def make_negative(rng: random.Random, kind: str) -> str:
    """Return a text of a kind."""
    return NEGATIVES[kind](rng)

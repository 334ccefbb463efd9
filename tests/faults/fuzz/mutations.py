"""Changes of files and of what is in them: bits, blocks and numbers of bytes, values and keys of JSON and TOML."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any, Final

__all__ = ["mutate_bytes", "mutate_json", "mutate_toml"]

_EXTREMES: Final = (0, 1, -1, 127, 255, 1 << 15, (1 << 31) - 1, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63))


def mutate_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with one to four changes."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if not changed:
            break
        draw.choice(_BYTES)(changed, draw)
    return bytes(changed)


def _flip(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _set(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))


def _number(data: bytearray, draw: random.Random) -> None:
    width = draw.choice((2, 4, 8))
    at = draw.randrange(max(1, len(data) - width))
    value = draw.choice(_EXTREMES) & ((1 << 8 * width) - 1)
    data[at : at + width] = value.to_bytes(width, draw.choice(("little", "big")))


def _cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def _remove(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    del data[at : at + draw.choice((1, 4, 64, 1024))]


def _insert(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data) + 1)
    data[at:at] = draw.randbytes(draw.choice((1, 4, 64, 1024)))


def _double(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    block = data[at : at + draw.choice((1, 16, 256, 4096))]
    data[at:at] = block * draw.choice((1, 1, 3, 50))


def _zero(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    size = min(draw.choice((1, 8, 512, 4096)), len(data) - at)
    data[at : at + size] = bytes(size)


def _swap(data: bytearray, draw: random.Random) -> None:
    size = draw.choice((1, 8, 64, 512))
    one, other = draw.randrange(len(data)), draw.randrange(len(data))
    block = bytes(data[one : one + size])
    data[one : one + size] = data[other : other + size]
    data[other : other + len(block)] = block


def _append(data: bytearray, draw: random.Random) -> None:
    data += draw.choice((b"\0", b"\n", b"}", draw.randbytes(100), bytes(data[:1000])))


_BYTES: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (
    *(_flip, _set, _number, _number, _cut, _remove, _insert, _double, _zero, _swap, _append),
)

_RAW: Final = {
    "@deep@": "[" * 20_000 + "]" * 20_000,
    "@deep objects@": '{"a":' * 5000 + "1" + "}" * 5000,
    "@some depth@": "[" * 70 + "]" * 70,
    "@digits@": "9" * 5000,
    "@nan@": "NaN",
    "@infinity@": "-Infinity",
    "@huge@": "1e999",
    "@cut@": "",
}
"""Strings that stand for what the writer of JSON does not write."""


def _strange(draw: random.Random) -> Any:  # Any: a value of any kind of JSON
    return draw.choice(
        (
            *(
                None,
                True,
                False,
                0,
                -1,
                1.5,
                10**6,
                10**12,
                2**63,
                10**400,
                1e308,
                "",
                "x",
                "\ud800",
                "\0",
                "a\nb",
                "é" * 10,
            ),
            *(
                "x" * 100_000,
                "../../x",
                [],
                {},
                [[]],
                [None],
                {"a": 1},
                [0] * 10_000,
                ["x"] * 1000,
                {"": {}},
                list(range(300)),
            ),
            *_RAW,
        )
    )


def mutate_json(data: bytes, draw: random.Random) -> bytes:
    """Return JSON with one to three values, keys or subtrees changed, or with changed bytes."""
    if draw.random() < 0.2:
        return mutate_bytes(data, draw)
    value = json.loads(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        value = _change(value, draw)
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5)
    for mark, raw in _RAW.items():
        text = text.replace(json.dumps(mark), raw)
    if draw.random() < 0.05:  # a key that stands twice
        text = re.sub(r'("\w+": )', r"\g<1>7, \g<1>", text, count=1)
    return text.encode("utf-8", "surrogatepass")


def _change(value: Any, draw: random.Random) -> Any:  # Any: JSON
    places = list(_places(value, draw))
    if not places:
        return _strange(draw)
    holder, key = draw.choice(places)
    kind = draw.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[draw.choice(("", "x", "format", "\ud800", "x" * 10_000))] = holder.pop(key)
    elif kind == 2:
        other, its_key = draw.choice(places)
        holder[key], other[its_key] = json.loads(json.dumps(other[its_key])), json.loads(json.dumps(holder[key]))
    elif kind == 3 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * draw.choice((1, 10, 1000))
    elif kind == 4 and isinstance(holder[key], int):
        holder[key] += draw.choice((-1, 1, 256, 10**6, 10**12, -(10**9)))
    else:
        holder[key] = _strange(draw)
    return value


def _places(value: Any, draw: random.Random) -> list[tuple[Any, Any]]:  # Any: a list or an object and a place in it
    """Return some places in a value: all of the outer levels, and of long lists a few."""
    found: list[tuple[Any, Any]] = []  # Any: as above
    waiting = [value] if isinstance(value, dict | list) else []
    while waiting and len(found) < 2000:
        each = waiting.pop(0)
        keys: list[Any] = list(each) if isinstance(each, dict) else list(range(len(each)))  # Any: texts or numbers
        for key in keys if len(keys) <= 40 else draw.sample(keys, 40):
            found.append((each, key))
            if isinstance(each[key], dict | list):
                waiting.append(each[key])
    return found


_TOML: Final = (
    *(
        "1",
        "-1",
        "0",
        "1e999",
        "nan",
        "-inf",
        "true",
        '""',
        "''",
        "'x'",
        "[]",
        "{}",
        "[[]]",
        "1979-05-27",
        "07:32:00",
        "9" * 5000,
        "0x" + "f" * 9000,
        '"40.' + "0" * 6000 + ' %"',
        "1_0_0",
    ),
    *(
        "[" * 5000,
        "{a=" * 2000,
        "0x" + "f" * 400,
        '"\\ud800"',
        '"\\u0000"',
        "'" + "x" * 20_000 + "'",
        "[" + "1," * 10_000 + "]",
    ),
    *(
        "a" + ".a" * 1000 + " = 1",
        '"' + "[" * 1000 + '"',
        "{a = 1, a = 2}",
        "'language IN (3)'",
        "'quality * quality > 1'",
        "'" + "(" * 3000 + "1'",
    ),
    *(
        "'" + "NOT " * 3000 + "TRUE'",
        "{ xx = 1.0 }",
        "{ EN = 0.5, '*' = 0.5 }",
        "['../x']",
        "1e-999",
        "{ default = 1e39 }",
        "18446744073709551616",
    ),
)


def mutate_toml(data: bytes, draw: random.Random) -> bytes:
    """Return TOML with one to three lines or values changed, or with changed bytes."""
    if draw.random() < 0.25:
        return mutate_bytes(data, draw)
    lines = data.decode().splitlines()
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(lines))
        kind = draw.randrange(6)
        key, equals, _ = lines[at].partition("=")
        if kind <= 2 and equals:
            lines[at] = f"{key}= {draw.choice(_TOML)}"
        elif kind == 3:
            lines[at:at] = [lines[at]] * draw.choice((1, 2, 1000))
        elif kind == 4:
            del lines[at : at + draw.choice((1, 1, 5))]
            lines = lines or [""]
        else:
            lines[at:at] = [
                draw.choice(
                    ("[[pools]]", "[rules]", "[x]", "[[stages]]", f"x = {draw.choice(_TOML)}", "[a" + ".a" * 5000 + "]")
                )
            ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")

"""National ids of the evaluation set: made by shape, kept where python-stdnum calls them valid, or wrong by their check alone.

Kinds without a check digit (the Danish CPR of today, the American SSN, the Indonesian NIK) are made too, but marked: what finds
them is neither right nor wrong, and their recall is told apart.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from importlib import import_module
from typing import Final

__all__ = ["IDS", "NO_CHECK", "make_id"]

Maker = Callable[[random.Random], str]


def _digits(rng: random.Random, count: int, first: str = string.digits) -> str:
    return rng.choice(first) + "".join(rng.choices(string.digits, k=count - 1))


def _date(rng: random.Random, form: str, first: int = 1950, last: int = 1999) -> str:
    year, month, day = rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28)
    parts = {"Y": f"{year:04}", "y": f"{year % 100:02}", "m": f"{month:02}", "d": f"{day:02}"}
    return "".join(parts[letter] for letter in form)


def _fiscal_code(rng: random.Random) -> str:
    letters = "".join(rng.choices("BCDFGLMNPRSTVZ", k=6))
    day = rng.randint(1, 28) + 40 * rng.randint(0, 1)
    town = rng.choice(["H501", "F205", "L219", "D612", "A662", "G273"])
    return f"{letters}{rng.randint(40, 99):02}{rng.choice('ABCDEHLMPRST')}{day:02}{town}{rng.choice(string.ascii_uppercase)}"


def _curp(rng: random.Random) -> str:
    name = rng.choice("BCDFGHJLMNP") + rng.choice("AEIOU") + "".join(rng.choices("BCDFGLMNPRST", k=2))
    place = rng.choice(["DF", "JC", "NL", "MC", "OC"])
    inner = "".join(rng.choices("BCDFGLMNPRST", k=3))
    return name + _date(rng, "ymd") + rng.choice("HM") + place + inner + "0" + _digits(rng, 1)


def _nir(rng: random.Random) -> str:
    body = f"{rng.choice('12')}{rng.randint(40, 99)}{rng.randint(1, 12):02}{rng.randint(1, 95):02}{_digits(rng, 3)}{_digits(rng, 3)}"
    body = body.replace("20", "21", 1) if body[5:7] == "20" else body
    return body + f"{97 - int(body) % 97:02}"


def _iran(rng: random.Random) -> str:
    body = "0" + _digits(rng, 8, "123456789")
    rest = sum(int(digit) * (10 - i) for i, digit in enumerate(body)) % 11
    return body + str(rest if rest < 2 else 11 - rest)


def _iran_is_valid(value: str) -> bool:
    rest = sum(int(digit) * (10 - i) for i, digit in enumerate(value[:9])) % 11
    return int(value[9]) == (rest if rest < 2 else 11 - rest)


def _grouped(*sizes: int, by: str) -> Callable[[str], str]:
    def write(value: str) -> str:
        parts, at = [], 0
        for size in sizes:
            parts.append(value[at : at + size])
            at += size
        return by.join(parts)

    return write


def _as_is(value: str) -> str:
    return value


def _cpf(value: str) -> str:
    return f"{value[:3]}.{value[3:6]}.{value[6:9]}-{value[9:]}"


def _rut(value: str) -> str:
    return f"{value[:2]}.{value[2:5]}.{value[5:8]}-{value[8:]}"


IDS: Final[dict[str, tuple[str, Maker, tuple[Callable[[str], str], ...]]]] = {
    "ar_cuit": (
        "ar.cuit",
        lambda r: r.choice(["20", "27", "23"]) + _digits(r, 9),
        (_as_is, lambda v: f"{v[:2]}-{v[2:10]}-{v[10:]}"),
    ),
    "au_tfn": ("au.tfn", lambda r: _digits(r, 9, "123456789"), (_grouped(3, 3, 3, by=" "),)),
    "be_nn": (
        "be.nn",
        lambda r: _date(r, "ymd") + _digits(r, 5),
        (lambda v: f"{v[:2]}.{v[2:4]}.{v[4:6]}-{v[6:9]}.{v[9:]}",),
    ),
    "br_cpf": ("br.cpf", lambda r: _digits(r, 11, "123456789"), (_as_is, _cpf, _cpf)),
    "ca_sin": ("ca.sin", lambda r: _digits(r, 9, "1234567"), (_grouped(3, 3, 3, by=" "), _grouped(3, 3, 3, by="-"))),
    "cl_rut": ("cl.rut", lambda r: _digits(r, 8, "12") + r.choice("0123456789K"), (_rut, lambda v: f"{v[:8]}-{v[8:]}")),
    "cn_ric": (
        "cn.ric",
        lambda r: (
            r.choice(["110101", "310104", "440305", "510107", "330106"])
            + _date(r, "Ymd")
            + _digits(r, 3)
            + r.choice("0123456789X")
        ),
        (_as_is,),
    ),
    "cz_rc": ("cz.rc", lambda r: _date(r, "ymd", 1955, 1999) + _digits(r, 4), (lambda v: f"{v[:6]}/{v[6:]}", _as_is)),
    "de_idnr": ("de.idnr", lambda r: _digits(r, 11, "123456789"), (_as_is, _grouped(2, 3, 3, 3, by=" "))),
    "dk_cpr": ("dk.cpr", lambda r: _date(r, "dmy") + _digits(r, 4, "0123"), (lambda v: f"{v[:6]}-{v[6:]}",)),
    "es_dni": (
        "es.dni",
        lambda r: _digits(r, 8) + r.choice("TRWAGMYFPDXBNJZSQVHLCKE"),
        (_as_is, lambda v: f"{v[:8]}-{v[8:]}"),
    ),
    "es_nie": (
        "es.nie",
        lambda r: r.choice("XYZ") + _digits(r, 7) + r.choice("TRWAGMYFPDXBNJZSQVHLCKE"),
        (_as_is, lambda v: f"{v[0]}-{v[1:8]}-{v[8:]}"),
    ),
    "fi_hetu": (
        "fi.hetu",
        lambda r: _date(r, "dmy") + "-" + _digits(r, 3, "12345678") + r.choice("0123456789ABCDEFHJKLMNPRSTUVWXY"),
        (_as_is,),
    ),
    "fr_nir": ("fr.nir", _nir, (_as_is, lambda v: f"{v[0]} {v[1:3]} {v[3:5]} {v[5:7]} {v[7:10]} {v[10:13]} {v[13:]}")),
    "gb_nhs": ("gb.nhs", lambda r: _digits(r, 10, "4679"), (_grouped(3, 3, 4, by=" "), _grouped(3, 3, 4, by="-"))),
    "gr_amka": ("gr.amka", lambda r: _date(r, "dmy") + _digits(r, 5), (_as_is,)),
    "id_nik": (
        "id.nik",
        lambda r: r.choice(["317106", "327301", "357801"]) + _date(r, "dmy") + "00" + _digits(r, 2, "01"),
        (_as_is,),
    ),
    "il_idnr": ("il.idnr", lambda r: _digits(r, 9, "0123"), (_as_is,)),
    "in_aadhaar": (
        "in_.aadhaar",
        lambda r: _digits(r, 12, "23456789"),
        (_grouped(4, 4, 4, by=" "), _grouped(4, 4, 4, by="-")),
    ),
    "in_pan": (
        "in_.pan",
        lambda r: (
            "".join(r.choices("ABCDEKLMNRS", k=3))
            + "P"
            + r.choice("ABKMS")
            + f"{r.randint(1, 9999):04}"
            + r.choice("ABCDEKMN")
        ),
        (_as_is,),
    ),
    "ir_melli": ("", _iran, (_as_is, lambda v: f"{v[:3]}-{v[3:9]}-{v[9:]}")),
    "it_codicefiscale": ("it.codicefiscale", _fiscal_code, (_as_is, _as_is, str.lower)),
    "jp_in": ("jp.in_", lambda r: _digits(r, 12), (_as_is, _grouped(4, 4, 4, by=" "), _grouped(4, 4, 4, by="-"))),
    "kr_rrn": (
        "kr.rrn",
        lambda r: _date(r, "ymd") + r.choice("12") + _digits(r, 6, "012345678"),
        (lambda v: f"{v[:6]}-{v[6:]}",),
    ),
    "mx_curp": ("mx.curp", _curp, (_as_is,)),
    "nl_bsn": ("nl.bsn", lambda r: _digits(r, 9, "12345"), (_as_is, lambda v: f"{v[:4]}.{v[4:6]}.{v[6:]}")),
    "no_fodselsnummer": (
        "no.fodselsnummer",
        lambda r: _date(r, "dmy") + _digits(r, 5, "01234"),
        (lambda v: f"{v[:6]} {v[6:]}", _as_is),
    ),
    "pl_pesel": ("pl.pesel", lambda r: _date(r, "ymd") + _digits(r, 5), (_as_is,)),
    "pt_nif": ("pt.nif", lambda r: _digits(r, 9, "12"), (_as_is, _grouped(3, 3, 3, by=" "))),
    "ro_cnp": (
        "ro.cnp",
        lambda r: r.choice("12") + _date(r, "ymd") + f"{r.randint(1, 46):02}" + _digits(r, 4),
        (_as_is,),
    ),
    "ru_inn": ("ru.inn", lambda r: _digits(r, 12, "567"), (_as_is,)),
    "se_personnummer": (
        "se.personnummer",
        lambda r: _date(r, r.choice(["ymd", "Ymd"])) + "-" + _digits(r, 4),
        (_as_is,),
    ),
    "th_pin": (
        "th.pin",
        lambda r: _digits(r, 13, "1345"),
        (lambda v: f"{v[0]}-{v[1:5]}-{v[5:10]}-{v[10:12]}-{v[12]}", _as_is),
    ),
    "tr_tckimlik": ("tr.tckimlik", lambda r: _digits(r, 11, "123456789"), (_as_is,)),
    "ua_rntrc": ("ua.rntrc", lambda r: _digits(r, 10, "23"), (_as_is,)),
    "us_ssn": (
        "us.ssn",
        lambda r: _digits(r, 3, "123456") + f"{r.randint(10, 99)}" + _digits(r, 4, "123456789"),
        (lambda v: f"{v[:3]}-{v[3:5]}-{v[5:]}",),
    ),
}
"""Kind → python-stdnum's module, a maker of candidates, ways of writing it."""

NO_CHECK: Final = frozenset({"dk_cpr", "id_nik", "in_pan", "us_ssn"})


def _is_valid(kind: str, value: str) -> bool:
    module = IDS[kind][0]
    return bool(import_module(f"stdnum.{module}").is_valid(value)) if module else _iran_is_valid(value)


def make_id(rng: random.Random, kind: str, *, valid: bool = True) -> str:
    """Return an id of a kind as people write it; one that is not valid has the shape of one that is."""
    _, make, forms = IDS[kind]
    for _ in range(100_000):
        value = make(rng)
        if not valid and kind == "fr_nir":
            value = value[:-1] + str((int(value[-1]) + rng.randint(1, 9)) % 10)
        if not valid and kind == "ir_melli":
            value = value[:-1] + str((int(value[-1]) + rng.randint(1, 9)) % 10)
        if _is_valid(kind, value) == valid:
            return rng.choice(forms)(value)
    raise RuntimeError(f"no {'valid' if valid else 'wrong'} {kind} found")

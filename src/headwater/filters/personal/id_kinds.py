"""National ids: the shapes in which each is written, where its shape alone suffices, and its test.

Sources: python-stdnum 2.2 (lengths, checksums, dates) and the documents that ``id_checks`` names. An id whose test one number of ten passes by chance
is taken in a shape that few other numbers have, in the languages of its country, or after a word that names it (``words``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stdnum.ar import cuit
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.de import idnr as steuer_id
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.gr import amka
from stdnum.gr import vat as afm
from stdnum.il import idnr as israeli_id
from stdnum.it import codicefiscale
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import cc
from stdnum.pt import nif as contribuinte
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.tr import tckimlik
from stdnum.ua import rntrc
from stdnum.us import ssn

from headwater.filters.personal import id_checks as own
from headwater.filters.personal.types import HIGH, LOW, MEDIUM

__all__ = ["ID_KINDS", "IdKind"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IdKind:
    """One country's id.

    Attributes:
        name: country and name, as family ``spans`` has it in ``variant``; also its topic in ``words``.
        check: whether a number without separators, letters in capitals, passes.
        home: languages of its country.
        anywhere: shapes that suffice in every language.
        at_home: those that suffice in ``home``.
        named: those that need a word before them: the id's own, or at home one of the topic ``id``.
        sure: confidence without such a word; with one it is high where there is a checksum.
        checksum: whether there is one.
        signs: whether a hyphen or a plus is part of it.
    """

    name: str
    check: Callable[[str], bool]
    home: tuple[str, ...]
    anywhere: tuple[str, ...] = ()
    at_home: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    sure: str = HIGH
    checksum: bool = True
    signs: bool = False


def _resident(number: str) -> bool:
    """China: province, day of birth and ISO 7064 mod 11-2; the county is not held against a list, since lists lag behind."""
    return (
        11 <= int(number[:2]) <= 91
        and own.is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        and str(ric.calc_check_digit(number)) == number[-1]
    )


def _russian_passport(number: str) -> bool:
    """Russia: two digits of a region, two of a year, six; no checksum."""
    return number[:2] != "00" and number[4:] != "000000"


_D9, _D10, _D11, _D12, _D13 = ("d" * n for n in (9, 10, 11, 12, 13))

ID_KINDS: Final = (
    IdKind(
        name="cn_ric",
        check=_resident,
        home=("zh",),
        anywhere=("d" * 17 + "L", "d" * 18, "dddddd dddddddd dddd", "dddddd dddddddd dddL"),
    ),
    IdKind(
        name="jp_my_number",
        check=my_number.is_valid,
        home=("ja",),
        at_home=("dddd dddd dddd", "dddd-dddd-dddd"),
        named=(_D12,),
        sure=MEDIUM,
    ),
    IdKind(
        name="kr_rrn",
        check=rrn.is_valid,
        home=("ko",),
        anywhere=("dddddd-ddddddd",),
        at_home=("dddddd ddddddd",),
        named=(_D13,),
    ),
    IdKind(
        name="in_aadhaar",
        check=own.aadhaar,
        home=("hi", "bn"),
        at_home=("dddd dddd dddd", "dddd-dddd-dddd"),
        named=(_D12,),
        sure=MEDIUM,
    ),
    IdKind(
        name="in_pan",
        check=own.indian_person,
        home=("hi", "bn", "en"),
        at_home=("LLLLLddddL",),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(
        name="br_cpf",
        check=cpf.is_valid,
        home=("pt",),
        anywhere=("ddd.ddd.ddd-dd",),
        at_home=(_D11, "ddd ddd ddd dd", "ddd ddd ddd-dd", "ddddddddd-dd"),
    ),
    IdKind(
        name="br_cnpj",
        check=cnpj.is_valid,
        home=("pt",),
        anywhere=("dd.ddd.ddd/dddd-dd",),
        at_home=("d" * 14, "dddddddd/dddd-dd"),
    ),
    IdKind(
        name="es_dni",
        check=dni.is_valid,
        home=("es",),
        at_home=("ddddddddL", "dddddddd-L", "dddddddd L", "dd.ddd.dddL", "dd.ddd.ddd-L"),
        sure=MEDIUM,
    ),
    IdKind(
        name="es_dni",
        check=nie.is_valid,
        home=("es",),
        at_home=("LdddddddL", "L-ddddddd-L", "LdddddddL", "L ddddddd L", "L-dddddddL"),
        sure=MEDIUM,
    ),
    IdKind(
        name="it_codice_fiscale",
        check=codicefiscale.is_valid,
        home=("it",),
        anywhere=("LLLLLLddLddLdddL", "LLL LLL ddLdd LdddL"),
    ),
    IdKind(
        name="fr_nir",
        check=nir.is_valid,
        home=("fr",),
        anywhere=(
            "d dd dd dd ddd ddd dd",
            "d dd dd dL ddd ddd dd",
            "d.dd.dd.dd.ddd.ddd.dd",
            "d-dd-dd-dd-ddd-ddd-dd",
            "d dd dd dd ddd ddd-dd",
            "d" * 13 + " dd",
            "d" * 15,
        ),
        at_home=("dddddd" + "L" + "dddddddd",),
    ),
    IdKind(name="de_idnr", check=steuer_id.is_valid, home=("de",), at_home=(_D11, "dd ddd ddd ddd")),
    IdKind(
        name="nl_bsn",
        check=bsn.is_valid,
        home=("nl",),
        at_home=("dddd.dd.ddd", "dddd dd ddd"),
        named=(_D9, "ddd ddd ddd", "ddd.ddd.ddd", "ddd-ddd-ddd"),
        sure=MEDIUM,
    ),
    IdKind(name="pl_pesel", check=pesel.is_valid, home=("pl",), at_home=(_D11,), sure=MEDIUM),
    IdKind(name="ro_cnp", check=cnp.is_valid, home=("ro",), at_home=(_D13, "d dddddd dddddd", "d dd dd dd dd ddd d")),
    IdKind(name="cz_rc", check=rc.is_valid, home=("cs", "sk"), at_home=("dddddd/dddd", "dddddd/ddd"), named=(_D10,)),
    IdKind(
        name="se_personnummer",
        check=own.swedish_number,
        home=("sv",),
        at_home=("dddddd-dddd", "dddddddd-dddd", "dddddd+dddd"),
        named=(_D10, _D12, "dddddd dddd", "dddddddd dddd"),
    ),
    IdKind(
        name="no_fodselsnummer",
        check=fodselsnummer.is_valid,
        home=("no", "nb", "nn", "da"),
        at_home=(_D11, "dddddd ddddd", "dd dd dd ddddd", "dddddd-ddddd"),
    ),
    IdKind(
        name="dk_cpr",
        check=own.cpr,
        home=("da",),
        at_home=("dddddd-dddd",),
        named=(_D10, "dddddd dddd"),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(
        name="fi_hetu",
        check=hetu.is_valid,
        home=("fi", "sv"),
        anywhere=("dddddd-dddd", "dddddd-dddL", "dddddd+dddd", "dddddd+dddL", "ddddddLdddd", "ddddddLdddL"),
        signs=True,
    ),
    IdKind(name="tr_kimlik", check=tckimlik.is_valid, home=("tr",), at_home=(_D11, "ddd ddd ddd dd")),
    IdKind(
        name="il_id",
        check=israeli_id.is_valid,
        home=("he",),
        at_home=("dddddddd-d", "d-ddddddd-d"),
        named=(_D9,),
        sure=MEDIUM,
    ),
    IdKind(
        name="gr_amka", check=amka.is_valid, home=("el",), at_home=(_D11, "dddddd ddddd", "dddddd-ddddd"), sure=MEDIUM
    ),
    IdKind(name="gr_afm", check=afm.is_valid, home=("el",), named=(_D9,)),
    IdKind(name="hu_taj", check=own.taj, home=("hu",), named=(_D9, "ddd ddd ddd", "ddd-ddd-ddd")),
    IdKind(name="hu_adoazonosito", check=own.hungarian_tax_id, home=("hu",), named=(_D10,)),
    IdKind(
        name="id_nik",
        check=own.indonesian_nik,
        home=("id", "ms"),
        at_home=("d" * 16,),
        named=("dddd dddd dddd dddd", "dddddd dddddd dddd"),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(
        name="th_pin",
        check=own.thai_id,
        home=("th",),
        anywhere=("d-dddd-ddddd-dd-d", "d dddd ddddd dd d"),
        at_home=(),
        named=(_D13,),
        sure=MEDIUM,
    ),
    IdKind(name="ua_rntrc", check=rntrc.is_valid, home=("uk",), named=(_D10,)),
    IdKind(name="ua_unzr", check=own.ukrainian_record, home=("uk",), anywhere=("dddddddd-ddddd",)),
    IdKind(name="bg_egn", check=egn.is_valid, home=("bg",), named=(_D10,)),
    IdKind(
        name="vn_cccd",
        check=own.vietnamese_id,
        home=("vi",),
        at_home=(_D12,),
        named=("ddd ddd ddd ddd", "dddd dddd dddd"),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(name="ru_inn", check=inn.is_valid, home=("ru", "uk"), named=(_D12,)),
    IdKind(
        name="ru_snils",
        check=own.snils,
        home=("ru",),
        anywhere=("ddd-ddd-ddd dd", "ddd-ddd-ddd-dd"),
        named=(_D11, "ddd ddd ddd dd"),
    ),
    IdKind(
        name="ru_passport",
        check=_russian_passport,
        home=("ru",),
        named=("dddd dddddd", "dd dd dddddd"),
        sure=LOW,
        checksum=False,
    ),
    IdKind(name="ir_melli", check=own.iranian_id, home=("fa",), at_home=("ddd-dddddd-d",), named=(_D10,)),
    IdKind(
        name="eg_id",
        check=own.egyptian_id,
        home=("ar",),
        at_home=("d" * 14,),
        named=("d dddddd ddddddd", "d dd dd dd dd dddd d"),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(name="sa_id", check=own.saudi_id, home=("ar",), named=(_D10,)),
    IdKind(
        name="bd_nid", check=own.bangladesh_nid, home=("bn",), named=(_D10, _D13, "d" * 17), sure=LOW, checksum=False
    ),
    IdKind(name="pt_nif", check=contribuinte.is_valid, home=("pt",), named=(_D9, "ddd ddd ddd")),
    IdKind(
        name="pt_cc",
        check=cc.is_valid,
        home=("pt",),
        anywhere=("dddddddd d LLd", "dddddddd dLLd", "dddddddd d LdL", "dddddddd d Ldd"),
        named=("dddddddddLLd",),
        sure=MEDIUM,
    ),
    IdKind(
        name="us_ssn",
        check=ssn.is_valid,
        home=("en", "es"),
        at_home=("ddd-dd-dddd",),
        named=(_D9, "ddd dd dddd"),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(
        name="gb_nino",
        check=own.british_insurance,
        home=("en",),
        at_home=("LL dd dd dd L", "LL-dd-dd-dd-L", "LL dddddd L"),
        named=("LLddddddL",),
        sure=MEDIUM,
        checksum=False,
    ),
    IdKind(name="gb_nhs", check=nhs.is_valid, home=("en",), named=(_D10, "ddd ddd dddd", "ddd-ddd-dddd")),
    IdKind(name="au_tfn", check=tfn.is_valid, home=("en",), named=(_D9, "ddd ddd ddd", "dddddddd")),
    IdKind(name="ca_sin", check=sin.is_valid, home=("en", "fr"), named=(_D9, "ddd ddd ddd", "ddd-ddd-ddd")),
    IdKind(
        name="be_nn",
        check=nn.is_valid,
        home=("nl", "fr"),
        anywhere=("dd.dd.dd-ddd.dd",),
        named=(_D11, "dd.dd.dd ddd-dd", "dddddd-ddd-dd", "dddddd-ddd.dd"),
    ),
    IdKind(
        name="ch_ahv",
        check=ahv.is_valid,
        home=("de", "fr", "it"),
        anywhere=("ddd.dddd.dddd.dd",),
        named=(_D13, "ddd dddd dddd dd"),
    ),
    IdKind(
        name="mx_curp",
        check=curp.is_valid,
        home=("es",),
        anywhere=("LLLLddddddLLLLLLLd", "LLLLddddddLLLLLLdd"),
        named=(),
    ),
    IdKind(
        name="cl_rut",
        check=rut.is_valid,
        home=("es",),
        at_home=("dd.ddd.ddd-d", "d.ddd.ddd-d", "dd.ddd.ddd-L", "d.ddd.ddd-L"),
        named=("dddddddd-d", "ddddddd-d", "dddddddd-L"),
        sure=MEDIUM,
    ),
    IdKind(name="ar_cuit", check=cuit.is_valid, home=("es",), at_home=("dd-dddddddd-d",), named=(_D11,)),
)
"""In the order in which they are tried: of two that a number passes, the surer holds, then the first."""

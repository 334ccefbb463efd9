"""National ids: made with a right and a wrong check digit, against python-stdnum, in the shapes in which they are written."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from importlib import import_module

import pyarrow as pa
import pytest

from headwater.filters.personal import id_checks
from headwater.filters.personal.find import find_personal
from headwater.filters.personal.id_kinds import ID_KINDS
from headwater.filters.personal.words import topic_bits

ORACLES = {
    "cn_ric": "cn.ric",
    "jp_my_number": "jp.in_",
    "kr_rrn": "kr.rrn",
    "in_aadhaar": "in_.aadhaar",
    "br_cpf": "br.cpf",
    "br_cnpj": "br.cnpj",
    "fr_nir": "fr.nir",
    "de_idnr": "de.idnr",
    "nl_bsn": "nl.bsn",
    "pl_pesel": "pl.pesel",
    "ro_cnp": "ro.cnp",
    "cz_rc": "cz.rc",
    "se_personnummer": "se.personnummer",
    "no_fodselsnummer": "no.fodselsnummer",
    "tr_kimlik": "tr.tckimlik",
    "il_id": "il.idnr",
    "gr_amka": "gr.amka",
    "gr_afm": "gr.vat",
    "th_pin": "th.pin",
    "ua_rntrc": "ua.rntrc",
    "bg_egn": "bg.egn",
    "ru_inn": "ru.inn",
    "pt_nif": "pt.nif",
    "gb_nhs": "gb.nhs",
    "ca_sin": "ca.sin",
    "au_tfn": "au.tfn",
    "be_nn": "be.nn",
    "ch_ahv": "ch.ssn",
    "ar_cuit": "ar.cuit",
}
WORDS = {
    "cn_ric": "身份证号",
    "jp_my_number": "マイナンバー: ",
    "kr_rrn": "주민등록번호 ",
    "in_aadhaar": "Aadhaar ",
    "br_cpf": "CPF ",
    "br_cnpj": "CNPJ ",
    "fr_nir": "numéro de sécurité sociale ",
    "de_idnr": "Steuer-ID: ",
    "nl_bsn": "BSN ",
    "pl_pesel": "PESEL: ",
    "ro_cnp": "CNP ",
    "cz_rc": "rodné číslo ",
    "se_personnummer": "personnummer ",
    "no_fodselsnummer": "fødselsnummer ",
    "tr_kimlik": "TC Kimlik No: ",
    "il_id": "תעודת זהות ",
    "gr_amka": "ΑΜΚΑ ",
    "gr_afm": "ΑΦΜ: ",
    "th_pin": "เลขประจำตัวประชาชน ",
    "ua_rntrc": "РНОКПП ",
    "bg_egn": "ЕГН ",
    "ru_inn": "ИНН ",
    "pt_nif": "NIF ",
    "gb_nhs": "NHS number ",
    "ca_sin": "SIN ",
    "au_tfn": "TFN ",
    "be_nn": "rijksregisternummer ",
    "ch_ahv": "AHV ",
    "ar_cuit": "CUIT ",
}
BORN: dict[str, Callable[[datetime.date], str]] = {
    "cn_ric": lambda day: f"{day:%Y%m%d}",
    "kr_rrn": lambda day: f"{day:%y%m%d}",
    "pl_pesel": lambda day: f"{day:%y%m%d}",
    "cz_rc": lambda day: f"{day:%y%m%d}",
    "se_personnummer": lambda day: f"{day:%y%m%d}",
    "no_fodselsnummer": lambda day: f"{day:%d%m%y}",
    "gr_amka": lambda day: f"{day:%d%m%y}",
    "bg_egn": lambda day: f"{day:%y%m%d}",
    "be_nn": lambda day: f"{day:%y%m%d}",
    "ro_cnp": lambda day: f"1{day:%y%m%d}",
    "ch_ahv": lambda _: "756",
    "fr_nir": lambda day: f"1{day:%y%m}75",
}
LENGTHS = {"gb_nhs": 10, "ca_sin": 9, "au_tfn": 9, "be_nn": 11, "ch_ahv": 13, "ar_cuit": 11, "se_personnummer": 10}
FIXED = {
    "in_pan": ("en", "PAN ABCPK1234F", "PAN ABCDK1234F"),
    "es_dni": ("es", "DNI 12345678Z", "DNI 12345678A"),
    "it_codice_fiscale": ("it", "codice fiscale RSSMRA85T10A562S", "codice fiscale RSSMRA85T10A562T"),
    "dk_cpr": ("da", "CPR 211062-5629", "CPR 311362-5629"),
    "fi_hetu": ("fi", "henkilötunnus 131052-308T", "henkilötunnus 131052-308U"),
    "hu_taj": ("hu", "TAJ szám: 111 111 110", "TAJ szám: 111 111 111"),
    "hu_adoazonosito": ("hu", "adóazonosító jel 8071592153", "adóazonosító jel 8071592154"),
    "id_nik": ("id", "NIK 3171011708450001", "NIK 3171013913450001"),
    "ua_unzr": ("uk", "УНЗР 19850417-01234", ""),
    "vn_cccd": ("vi", "CCCD 001085012345", "CCCD 101085012345"),
    "ru_snils": ("ru", "СНИЛС 112-233-445 95", "СНИЛС 112-233-445 96"),
    "ru_passport": ("ru", "паспорт 4509 123456", ""),
    "ir_melli": ("fa", "کد ملی 0067749828", "کد ملی 0067749829"),
    "eg_id": ("ar", "الرقم القومي 28503170101234", "الرقم القومي 28513170101234"),
    "sa_id": ("ar", "رقم الهوية 1000000008", "رقم الهوية 1000000009"),
    "bd_nid": ("bn", "জাতীয় পরিচয়পত্র 3281456907", ""),
    "pt_cc": ("pt", "cartão de cidadão 00000000 0 ZZ4", "cartão de cidadão 00000000 0 ZZ5"),
    "us_ssn": ("en", "SSN 536-90-4399", "SSN 666-90-4399"),
    "gb_nino": ("en", "National Insurance AB123456C", "National Insurance DB123456C"),
    "mx_curp": ("es", "CURP BOXW310820HNERXN09", "CURP BOXW310820HNERXN08"),
    "cl_rut": ("es", "RUT 12.531.909-2", "RUT 12.531.909-3"),
}


def ids_of(text: str, language: str) -> list[tuple[str, str]]:
    """Return variant and text of the ids that are found."""
    rows = find_personal(pa.array([text]), [language], secrets=False).to_pylist()
    data = text.encode()
    return [
        (row["variant"], data[row["span_begin"] : row["span_end"]].decode())
        for row in rows
        if row["operator"] == "personal:national_id"
    ]


def digits_of(rng: random.Random, name: str, n: int) -> str:
    """Return random digits that begin as an id of the kind does."""
    day = datetime.date(1950, 1, 1) + datetime.timedelta(days=rng.randrange(18_000))
    begin = ("110105" if name == "cn_ric" else "") + (BORN[name](day) if name in BORN else "")
    return begin + "".join(rng.choices("0123456789", k=n - len(begin)))


def made(name: str, oracle: Callable[[str], bool]) -> tuple[str, str]:
    """Return a number that the oracle takes and one that it does not, a digit apart."""
    rng = random.Random(name)
    kind = next(kind for kind in ID_KINDS if kind.name == name)
    shapes = (*kind.named, *kind.at_home, *kind.anywhere)
    n = LENGTHS.get(name) or next(len(shape) for shape in shapes if set(shape) == {"d"})
    for _ in range(200_000):
        number = digits_of(rng, name, n)
        if oracle(number):
            for digit in "0123456789":
                wrong = number[:-1] + digit
                if not oracle(wrong):
                    return number, wrong
    raise AssertionError(name)


@pytest.mark.parametrize("name", ORACLES)
def test_an_id_is_found_as_python_stdnum_knows_it(name: str) -> None:
    """After its word in its language an id is found whole, one whose check digit is wrong is not."""
    oracle: Callable[[str], bool] = import_module(f"stdnum.{ORACLES[name]}").is_valid
    right, wrong = made(name, oracle)
    language = next(kind for kind in ID_KINDS if kind.name == name).home[0]
    assert (name, right) in ids_of(f"{WORDS[name]}{right}.", language)
    assert ids_of(f"{WORDS[name]}{wrong}.", language) == []


@pytest.mark.parametrize("name", FIXED)
def test_an_id_with_a_form_of_its_own_is_found(name: str) -> None:
    """Letters, dates and registers: what passes is found, what breaks the rule is not."""
    language, right, wrong = FIXED[name]
    if name == "ua_unzr":
        serial = "0123"
        check = sum(int(d) * w for d, w in zip("19850417" + serial, (7, 3, 1) * 4, strict=True)) % 10
        right, wrong = f"УНЗР 19850417-{serial}{check}", f"УНЗР 19850417-{serial}{(check + 1) % 10}"
    assert [found for found, _ in ids_of(right, language)] == [name]
    assert ids_of(wrong, language) == []


@pytest.mark.parametrize(
    ("check", "module", "lengths"),
    [
        ("aadhaar", "in_.aadhaar", (12,)),
        ("swedish_number", "se.personnummer", (10,)),
        ("thai_id", "th.pin", (13,)),
    ],
)
def test_own_checks_agree_with_python_stdnum(check: str, module: str, lengths: tuple[int, ...]) -> None:
    """What python-stdnum takes is taken; where it holds numbers against a register, more may be."""
    rng = random.Random(7)
    oracle: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    own: Callable[[str], bool] = getattr(id_checks, check)
    for _ in range(3000):
        number = digits_of(rng, "se_personnummer" if check == "swedish_number" else "", lengths[0])
        assert own(number) >= oracle(number), number
        if check in {"aadhaar", "swedish_number"}:
            assert own(number) == oracle(number), number


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("O CPF é 111.444.777-35.", "en", ["br_cpf"]),
        ("O número 11144477735 aparece.", "pt", ["br_cpf"]),
        ("The number 11144477735 appears.", "en", []),
        ("Nummer 44051401359 hier", "de", []),
        ("Numer 44051401359 tutaj", "pl", ["pl_pesel"]),
        ("their PESEL 44051401359 too", "en", ["pl_pesel"]),
        ("identiteitskaart 111222333 en", "nl", ["nl_bsn"]),
        ("tussen 111222333 en", "nl", []),
        ("ID 536-90-4399 of a citizen", "en", ["us_ssn"]),
        ("part 536-90-4399 of a list", "de", []),
    ],
)
def test_a_weak_checksum_needs_its_shape_its_language_or_a_word(text: str, language: str, found: list[str]) -> None:
    """A number that one in ten passes by chance counts where it is at home or is named."""
    assert [name for name, _ in ids_of(text, language)] == found


def test_every_kind_has_its_words_and_a_shape() -> None:
    """A kind without either could not be found."""
    for kind in ID_KINDS:
        assert kind.name in topic_bits(), kind.name
        assert kind.anywhere or kind.at_home or kind.named
    assert {kind.name for kind in ID_KINDS} == {*ORACLES, *FIXED}
    assert len(topic_bits()) < 63  # a bit each in a signed number

"""Values of the evaluation set: what is personal, valid or wrong by its check, in the forms in which people write it.

Two kinds of forms, so that what is tuned on one can be judged on the other: our own, of libphonenumber, the registry of IBANs and RFCs;
and, `held_out`, Faker's values in its locales' forms, as most published sets have them.
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import re
import string
import uuid
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers
from faker import Faker
from stdnum import iban, luhn

from bench.personal_ids import NO_CHECK, make_id
from bench.personal_secrets import make_secret

__all__ = ["ID_KINDS", "LOCALES", "REGIONS", "Value", "make_value"]

LOCALES: Final = {
    "ar": "ar_AA", "bn": "bn_BD", "cs": "cs_CZ", "da": "da_DK", "de": "de_DE", "el": "el_GR", "en": "en_US", "es": "es_ES",
    "fa": "fa_IR", "fi": "fi_FI", "fr": "fr_FR", "he": "he_IL", "hi": "hi_IN", "hu": "hu_HU", "id": "id_ID", "it": "it_IT",
    "ja": "ja_JP", "ko": "ko_KR", "nl": "nl_NL", "no": "no_NO", "pl": "pl_PL", "pt": "pt_BR", "ro": "ro_RO", "ru": "ru_RU",
    "sv": "sv_SE", "th": "th_TH", "tr": "tr_TR", "uk": "uk_UA", "vi": "vi_VN", "zh": "zh_CN",
}  # fmt: skip
REGIONS: Final = {
    "ar": "EG SA AE", "bn": "BD", "cs": "CZ", "da": "DK", "de": "DE AT CH", "el": "GR CY", "en": "US GB AU CA IN", "es": "ES MX AR",
    "fa": "IR", "fi": "FI", "fr": "FR BE CH", "he": "IL", "hi": "IN", "hu": "HU", "id": "ID", "it": "IT CH", "ja": "JP", "ko": "KR",
    "nl": "NL BE", "no": "NO", "pl": "PL", "pt": "BR PT", "ro": "RO", "ru": "RU KZ", "sv": "SE", "th": "TH", "tr": "TR", "uk": "UA",
    "vi": "VN", "zh": "CN TW HK",
}  # fmt: skip
ID_KINDS: Final = {
    "ar": "", "bn": "", "cs": "cz_rc", "da": "dk_cpr", "de": "de_idnr", "el": "gr_amka", "en": "us_ssn gb_nhs ca_sin au_tfn in_aadhaar",
    "es": "es_dni es_nie mx_curp cl_rut ar_cuit", "fa": "ir_melli", "fi": "fi_hetu", "fr": "fr_nir be_nn", "he": "il_idnr",
    "hi": "in_aadhaar in_pan", "hu": "", "id": "id_nik", "it": "it_codicefiscale", "ja": "jp_in", "ko": "kr_rrn", "nl": "nl_bsn be_nn",
    "no": "no_fodselsnummer", "pl": "pl_pesel", "pt": "br_cpf pt_nif", "ro": "ro_cnp", "ru": "ru_inn", "sv": "se_personnummer",
    "th": "th_pin", "tr": "tr_tckimlik", "uk": "ua_rntrc", "vi": "", "zh": "cn_ric",
}  # fmt: skip
IBAN_COUNTRIES: Final = {
    "ar": "AE SA EG", "cs": "CZ", "da": "DK", "de": "DE AT CH", "el": "GR CY", "en": "GB IE", "es": "ES", "fi": "FI", "fr": "FR BE",
    "he": "IL", "hu": "HU", "it": "IT SM", "nl": "NL BE", "no": "NO", "pl": "PL", "pt": "PT BR", "ro": "RO MD", "sv": "SE", "tr": "TR",
    "uk": "UA",
}  # fmt: skip
CARD_PREFIXES: Final = (
    ("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16),
    ("3528", 16), ("3589", 16), ("36", 14), ("6221", 16), ("4", 13), ("5018", 16),
)  # fmt: skip
NATIVE_DIGITS: Final = {"ar": "٠١٢٣٤٥٦٧٨٩", "fa": "۰۱۲۳۴۵۶۷۸۹", "bn": "০১২৩৪৫৬৭৮৯"}
IDN_DOMAINS: Final = (
    "müller-bau.de",
    "пример.рф",
    "почта.укр",
    "例子.中国",
    "例え.jp",
    "ñandu.es",
    "bücher.example.ch",
    "xn--bcher-kva.ch",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """What is written, and which bytes of it are the value: None where nothing is personal; `free`: neither right nor wrong if found."""

    text: str
    type: str | None
    kind: str
    free: bool = False
    skip_chars: int = 0
    """Characters before the value, as of ``mailto:``."""


@cache
def _faker(language: str) -> Faker:
    return Faker(LOCALES[language])


def _fake(rng: random.Random, language: str) -> Faker:
    faker = _faker(language)
    faker.seed_instance(rng.getrandbits(48))
    return faker


def _email(rng: random.Random, language: str, held_out: bool, valid: bool) -> Value:
    faker = _fake(rng, language)
    if not valid:
        name = _faker("en").user_name()
        wrong = (f"{name}@localhost", f"@{name}", f"{name}@", f"{name}@{rng.randint(2, 3)}x.png", f"{name}@.com", f"{name}@1.{rng.randint(0, 20)}.3",
                 f"{name} @ {rng.randint(3, 9)} EUR", f"pkg@^{rng.randint(1, 9)}.0.1", f"@{name}/core")  # fmt: skip
        return Value(text=rng.choice(wrong), type=None, kind="wrong_email")
    if held_out:
        address = rng.choice(
            [faker.email, faker.free_email, faker.company_email, faker.ascii_safe_email, _faker("en").email]
        )()
        return Value(text=address, type="email", kind="email")
    english = _faker("en")
    english.seed_instance(rng.getrandbits(48))
    local = english.user_name()
    domain = english.domain_name()
    forms = (
        f"{local}@{domain}", f"{local}@{domain}", f"{local}.{english.last_name().lower()}@{domain}", f"{local}+news{rng.randint(1, 99)}@{domain}",
        f"{local}_{rng.randint(1, 99)}@mail.{domain}", f"{local}@dept-{rng.randint(1, 9)}.uni.{domain}", f"{local.upper()}@{domain.upper()}",
        f"{local}@{rng.choice(IDN_DOMAINS)}", f"{local[0]}@{domain}", f"{local}@{english.last_name().lower()}.co.uk",
        f"{local}-{local}@{english.last_name().lower()}.photography",
    )  # fmt: skip
    address = rng.choice(forms)
    skip = "mailto:" if rng.random() < 0.08 else ""
    return Value(text=skip + address, type="email", kind="email", skip_chars=len(skip))


def _obfuscated(rng: random.Random, language: str, held_out: bool) -> Value:
    english = _fake(rng, "en")
    local, domain = english.user_name(), english.domain_name()
    host, _, end = domain.rpartition(".")
    at_words = {
        "de": (" bei ", " punkt "),
        "fr": (" arobase ", " point "),
        "es": (" arroba ", " punto "),
        "it": (" chiocciola ", " punto "),
        "pt": (" arroba ", " ponto "),
        "pl": (" małpa ", " kropka "),
        "nl": (" apenstaartje ", " punt "),
        "ru": (" собака ", " точка "),
        "uk": (" собака ", " крапка "),
        "cs": (" zavináč ", " tečka "),
        "hu": (" kukac ", " pont "),
        "ro": (" arond ", " punct "),
    }
    forms = [
        f"{local} [at] {host} [dot] {end}", f"{local}(at){domain}", f"{local} (at) {host} (dot) {end}", f"{local} at {host} dot {end}",
        f"{local}&#64;{domain}", f"{local}_AT_{host}_DOT_{end}", f"{local}[at]{domain}", f"{local} AT {host} DOT {end}",
    ]  # fmt: skip
    if held_out:
        forms = [
            f"{local} {{at}} {host} {{dot}} {end}", f"{local}[AT]{host}[DOT]{end}", f"{local}&#x40;{domain}", f"{local} <at> {host} <dot> {end}",
            f"{local} -at- {host} -dot- {end}", f"{local}(@){domain}", f"{local} [ät] {domain}", f"{local} @ {host} . {end}",
        ]  # fmt: skip
    if language in at_words and rng.random() < 0.4:
        at, point = at_words[language]
        forms = [f"{local}{at}{host}{point}{end}", f"{local} ({at.strip()}) {host} ({point.strip()}) {end}"]
    return Value(text=rng.choice(forms), type="email_obfuscated", kind="email_obfuscated")


def _ip(rng: random.Random, held_out: bool, valid: bool) -> Value:
    faker = _fake(rng, "en")
    while True:
        if rng.random() < 0.65:
            address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(rng.getrandbits(32))
        else:
            address = ipaddress.IPv6Address(
                (0x2A << 120 | rng.getrandbits(120))
                if rng.random() < 0.5
                else (0x2001 << 112 | 0x0DB0 + rng.randint(16, 99) << 96 | rng.getrandbits(16))
            )
        if address.is_global and not address.is_multicast:
            break
    if not valid:
        anywhere = "0.0.0.0"  # noqa: S104 - an example of what is not personal
        wrong = (
            faker.ipv4_private(),
            faker.ipv4_private(),
            "127.0.0.1",
            anywhere,
            "255.255.255.0",
            f"169.254.{rng.randint(0, 9)}.7",
            "::1",
            "fe80::1ff:fe23:4567:890a",
            f"{rng.randint(256, 999)}.{rng.randint(1, 9)}.300.4",
            f"1.{rng.randint(0, 40)}.{rng.randint(0, 9)}",
            f"fd00::{rng.randint(1, 99)}",
            f"192.0.2.{rng.randint(1, 254)}",
            "2001:db8::8a2e:370:7334",
        )
        return Value(text=rng.choice(wrong), type=None, kind="wrong_ip")
    text = address.exploded if held_out and rng.random() < 0.7 else str(address)
    if not held_out and rng.random() < 0.1:
        text = text.upper()
    return Value(text=text, type="ip", kind="ipv6" if address.version == 6 else "ipv4")


def _valid_phone(rng: random.Random, region: str) -> phonenumbers.PhoneNumber:
    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    for _ in range(10_000):
        example = phonenumbers.example_number_for_type(region, rng.choice(kinds))
        if example is None:
            continue
        national = list(phonenumbers.national_significant_number(example))
        for place in range(rng.choice([1, 2, 3]), len(national)):
            national[place] = rng.choice(string.digits)
        number = phonenumbers.PhoneNumber(
            country_code=example.country_code,
            national_number=int("".join(national)),
            italian_leading_zero=example.italian_leading_zero,
        )
        if phonenumbers.is_valid_number(number):
            return number
    raise RuntimeError(f"no valid number found for {region}")


def _phone(rng: random.Random, language: str, held_out: bool, valid: bool) -> Value:
    regions = REGIONS[language].split()
    region = regions[0] if rng.random() < 0.7 else rng.choice(regions)
    if not valid:
        wrong = (
            f"{rng.randint(1900, 2030)}-{rng.randint(1900, 2030)}",
            f"{rng.randint(10**13, 10**14)}",
            f"{rng.randint(1, 9)}{rng.randint(100, 999)}.{rng.randint(10, 99)}",
            f"{rng.randint(10, 99)}/{rng.randint(100, 999)}",
            f"({rng.randint(1980, 2026)}) {rng.randint(10, 99)}: {rng.randint(100, 400)}-{rng.randint(401, 900)}",
        )
        return Value(text=rng.choice(wrong), type=None, kind="wrong_phone")
    if held_out:
        text = _fake(rng, language).phone_number()
        number = None
        with contextlib.suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(text, regions[0])
        known = number is not None and any(
            phonenumbers.is_valid_number(number) or phonenumbers.is_valid_number_for_region(number, region)
            for region in regions
        )
        return Value(text=text, type="phone", kind="phone" if known else "phone_unassigned", free=not known)
    number = _valid_phone(rng, region)
    form = phonenumbers.PhoneNumberFormat
    international = phonenumbers.format_number(number, form.INTERNATIONAL)
    national = phonenumbers.format_number(number, form.NATIONAL)
    dashes = "-" if rng.random() < 0.5 else "."
    texts = [
        (international, 0), (international, 0), (national, 0), (national, 0), (phonenumbers.format_number(number, form.E164), 0),
        ("tel:" + phonenumbers.format_number(number, form.E164), 4), (international.replace(" ", dashes), 0),
        (national.replace(" ", dashes), 0), ("00" + international[1:], 0), (national.replace("-", " "), 0),
    ]  # fmt: skip
    if national.startswith("0") and region in ("DE", "AT", "CH", "GB", "FR", "NL", "SE"):
        texts.append((f"+{number.country_code} (0){national[1:]}", 0))
    # Four groups of digits between dots would be an address.
    texts = [each for each in texts if each[0].count(".") != 3 or each[0].startswith("+")]
    text, skip = rng.choice(texts)
    if not skip and language in NATIVE_DIGITS and rng.random() < 0.3:
        text = text.translate(str.maketrans(string.digits, NATIVE_DIGITS[language]))
    return Value(text=text, type="phone", kind="phone", skip_chars=skip)


def _iban(rng: random.Random, language: str, valid: bool) -> Value:
    country = rng.choice(IBAN_COUNTRIES.get(language, "DE FR GB NL").split())
    info = iban._ibandb.info(country + "00")[0][1]
    shape = re.findall(r"(\d+)!([nac])", str(info["bban"]))
    for _ in range(100_000):
        body = ""
        for count, letter in shape:
            alphabet = {"n": string.digits, "a": string.ascii_uppercase, "c": string.ascii_uppercase + string.digits}[
                letter
            ]
            body += "".join(rng.choices(alphabet, k=int(count)))
        text = country + iban.calc_check_digits(country + "00" + body) + body
        if iban.is_valid(text, check_country=False):
            break
    if not valid:
        place = rng.randrange(len(text) - 6, len(text))
        other = (
            str((int(text[place]) + rng.randint(1, 9)) % 10)
            if text[place].isdigit()
            else chr(65 + (ord(text[place]) - 64) % 26)
        )
        text = text[:place] + other + text[place + 1 :]
    written = rng.choice(
        [
            text,
            iban.format(text),
            iban.format(text),
            iban.format(text).replace(" ", "-") if rng.random() < 0.3 else text.lower() if rng.random() < 0.2 else text,
        ]
    )
    return Value(text=written, type="iban" if valid else None, kind="iban" if valid else "wrong_iban")


def _card(rng: random.Random, held_out: bool, valid: bool) -> Value:
    if held_out and valid:
        text = _fake(rng, "en").credit_card_number()
        return Value(text=text, type="card", kind="card")
    prefix, length = rng.choice(CARD_PREFIXES)
    body = prefix + "".join(rng.choices(string.digits, k=length - len(prefix) - 1))
    check = luhn.calc_check_digit(body)
    text = body + (check if valid else str((int(check) + rng.randint(1, 9)) % 10))
    groups = (4, 6, 5) if length == 15 else (4, 6, 4) if length == 14 else (4, 4, 4, 4)
    by = rng.choice([" ", "-", "", " "])
    parts, at = [], 0
    for size in groups:
        parts.append(text[at : at + size])
        at += size
    return Value(
        text=by.join(part for part in parts if part),
        type="card" if valid else None,
        kind="card" if valid else "wrong_card",
    )


def _id(rng: random.Random, language: str, valid: bool) -> Value | None:
    kinds = ID_KINDS[language].split()
    if not valid:
        kinds = [kind for kind in kinds if kind not in NO_CHECK]
    if not kinds:
        return None
    kind = rng.choice(kinds)
    text = make_id(rng, kind, valid=valid)
    return Value(text=text, type="national_id" if valid else None, kind=kind, free=kind in NO_CHECK)


def make_value(rng: random.Random, slot: str, language: str, *, held_out: bool, valid: bool = True) -> Value | None:
    """Return a value for a slot of a template; None where the language has none, as no national id with a check digit."""
    match slot:
        case "email":
            return _email(rng, language, held_out, valid)
        case "email_obfuscated":
            return _obfuscated(rng, language, held_out)
        case "ip":
            return _ip(rng, held_out, valid)
        case "phone":
            return _phone(rng, language, held_out, valid)
        case "iban":
            return _iban(rng, language, valid)
        case "card":
            return _card(rng, held_out, valid)
        case "id":
            return _id(rng, language, valid)
        case "secret":
            kind, text, skip = make_secret(rng, held_out=held_out)
            return Value(text=text, type="secret", kind=kind, skip_chars=skip)
        case "name":
            return Value(text=_fake(rng, language).name(), type=None, kind="name")
        case "uuid":
            return Value(text=str(uuid.UUID(int=rng.getrandbits(128), version=4)), type=None, kind="uuid")
        case _:
            raise ValueError(f"no slot {slot}")

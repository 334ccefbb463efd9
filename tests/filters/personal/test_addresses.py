"""E-mail and IP addresses: what is one, where it ends, and which IP addresses are public."""

from __future__ import annotations

import ipaddress
import random
import re

import pyarrow as pa
import pytest

from headwater.filters.personal.addresses import is_public
from headwater.filters.personal.find import find_personal

EMAIL = re.compile(r"(?<![\w.%+@/-])[a-z0-9][a-z0-9._%+-]{0,40}@(?:[a-z0-9-]+\.)+(?:com|org|de|co\.uk)(?![a-z0-9-])")


def found(text: str, operator: str, language: str = "en") -> list[str]:
    """Return what is found of an operator."""
    data = text.encode()
    rows = find_personal(pa.array([text]), [language]).to_pylist()
    return [
        data[row["span_begin"] : row["span_end"]].decode() for row in rows if row["operator"] == f"personal:{operator}"
    ]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Write to ann.lee+news@mail.example.org.", ["ann.lee+news@mail.example.org"]),
        ("<ann@example.co.uk>,bob@example.de;", ["ann@example.co.uk", "bob@example.de"]),
        ("邮箱ann@example.com联系", ["ann@example.com"]),
        ("пишите иван@почта.рф сегодня", ["иван@почта.рф"]),
        ("zoë@example.org, zoe\u0308@example.org", ["zoë@example.org", "zoe\u0308@example.org"]),
        ("mail ann@例え.jp now", ["ann@例え.jp"]),
        ("ann@example.org.Then", ["ann@example.org"]),
        ("ann@example", []),
        ("logo@2x.png and W@x.shape", []),
        ("git@example.org:team/code and https://me:word@example.org/", []),
        ("@ann@example.social", []),
        ("a@b@c@d", []),
        ("@example.org ann@ ann@.org ann@-.org", []),
    ],
)
def test_addresses_of_mail(text: str, addresses: list[str]) -> None:
    """An address ends where its domain does, which ends in a suffix that exists."""
    assert found(text, "email") == addresses


def test_addresses_of_mail_equal_a_pattern() -> None:
    """In texts of addresses and their pieces, what is found is what a regular expression finds."""
    rng = random.Random(3)
    pieces = [
        "ann",
        "bob.lee",
        "x_y",
        "@",
        ".",
        "example",
        "mail-1",
        "com",
        "org",
        "de",
        "co.uk",
        " ",
        ", ",
        "\n",
        "<",
        ">",
        "--",
        "9",
        "@@",
    ]
    for _ in range(300):
        text = "".join(rng.choices(pieces, k=30))
        assert [each for each in found(text, "email") if "@@" not in each] == [
            match.group().strip() for match in EMAIL.finditer(text)
        ] or any(sign in text for sign in ("--", "..", "-.", ".-", "@@", "__", "_x", "-@")), text


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("from 93.184.216.34 to 8.8.8.8:53 and 9.8.7.6", ["93.184.216.34", "8.8.8.8"]),
        ("the DNS server's address is 8.8.8.8", ["8.8.8.8"]),
        ("at http://93.184.216.34/x and [93.184.216.34]", ["93.184.216.34"] * 2),
        ("192.168.1.1 10.1.2.3 127.0.0.1 172.20.3.4 203.0.113.9 255.255.255.0 0.0.0.0 224.0.0.251", []),
        ("version 93.184.216.34 of libx 1.2.3.4-5", []),
        ("see section 12.4.1.2. Configuring, OID 1.3.6.1.4.1.9", []),
        ("256.1.2.300 93.184.216 93.184.216.034 v93.184.216.34", []),
        (
            "2a00:1450:4001:82a::200e and 2A00:1450:4001:82A:0:0:0:200E.",
            ["2a00:1450:4001:82a::200e", "2A00:1450:4001:82A:0:0:0:200E"],
        ),
        ("http://[2a00:1450:4001:82a::200e]:8080/", ["2a00:1450:4001:82a::200e"]),
        ("2001:db8::1 fe80::1 ::1 fd00:1234:5678:9abc:def0:1234:5678:9abc", []),
        ("std::vector a::b dead::beef 12:34:56 00:1b:44:11:3a:b7 00:1b:44:ff:fe:11:3a:b7 2015:03:04", []),
        ("2024::3 x[2000::2]", []),
    ],
)
def test_ip_addresses(text: str, addresses: list[str]) -> None:
    """A public address is found; a private or reserved one, a version, a section, a scope and a time are not."""
    assert found(text, "ip") == addresses


def test_what_is_public_is_what_python_says() -> None:
    """IANA's special-purpose ranges, as the standard library has them, but for the anycast and benchmark blocks that it calls global."""
    rng = random.Random(5)
    for _ in range(20_000):
        address = ipaddress.IPv4Address(rng.getrandbits(32))
        assert is_public(address) == (address.is_global and not address.is_multicast) or str(address).startswith(
            ("192.31.196.", "192.52.193.", "192.88.99.", "192.175.48.", "192.0.0.")
        )
    for network in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "198.18.0.0/15", "240.0.0.0/4"):
        assert not is_public(ipaddress.ip_network(network)[1])

"""Secrets of the evaluation set: made by the shapes that their issuers document, with random characters, and passwords in assignments."""

from __future__ import annotations

import base64
import json
import random
import string

__all__ = ["make_secret"]


def make_secret(rng: random.Random, *, held_out: bool) -> tuple[str, str, int]:
    """Return a kind, a text with a secret, and the characters before the secret."""
    if rng.random() < 0.3:
        return _password(rng)
    letters = string.ascii_letters + string.digits

    def some(count: int, alphabet: str = letters) -> str:
        return "".join(rng.choices(alphabet, k=count))

    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    numbers = string.digits
    hexadecimal = "0123456789abcdef"
    token = ".".join(
        [
            part({"alg": "HS256", "typ": "JWT"}),
            part({"sub": some(10, numbers), "iat": rng.randint(10**9, 2 * 10**9)}),
            some(43),
        ]
    )
    pem = (
        "-----BEGIN RSA PRIVATE KEY-----\n"
        + "\n".join(some(64, letters + "+/") for _ in range(5))
        + "\n-----END RSA PRIVATE KEY-----"
    )
    keys = {
        "aws": rng.choice(["AKIA", "ASIA"]) + some(16, string.ascii_uppercase + "234567"), "github": rng.choice(["ghp_", "gho_", "ghs_"]) + some(36),
        "gitlab": "glpat-" + some(20), "slack": f"xoxb-{some(12, numbers)}-{some(12, numbers)}-{some(24)}", "stripe": "sk_live_" + some(24),
        "google": "AIza" + some(35), "npm": "npm_" + some(36), "pypi": "pypi-AgEIcHlwaS5vcmc" + some(70),
"sendgrid": "SG." + some(22) + "." + some(43),
        "twilio": "SK" + some(32, hexadecimal), "telegram": some(9, "123456789") + ":AA" + some(33), "jwt": token, "private_key": pem,
        "anthropic": "sk-ant-api03-" + some(93, letters + "_-") + "AA", "github_fine": "github_pat_" + some(22) + "_" + some(59),
        "openai": "sk-proj-" + some(74) + "T3BlbkFJ" + some(74),
    }  # fmt: skip
    if held_out:
        keys |= {
            "digitalocean": "dop_v1_" + some(64, hexadecimal),
            "huggingface": "hf_" + some(34, string.ascii_letters),
            "shopify": "shpat_" + some(32, hexadecimal),
        }
    kind = rng.choice(sorted(keys))
    return kind, keys[kind], 0


def _password(rng: random.Random) -> tuple[str, str, int]:
    alphabet = string.ascii_letters + string.digits + "!#%&*+-_"
    value = "".join(rng.choices(alphabet, k=rng.randint(12, 24)))
    before, after = rng.choice(
        [
            ('password = "', '"'),
            ("DB_PASSWORD=", ""),
            ('api_key: "', '"'),
            ('"client_secret": "', '"'),
            ("export API_TOKEN='", "'"),
            ("https://admin:", "@db.example.net/x"),
        ]
    )
    if "://" in before:
        value = "".join(rng.choices(string.ascii_letters + string.digits, k=14))
    return "url" if "://" in before else "assignment", before + value + after, len(before)

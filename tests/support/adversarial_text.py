"""Text that encoders get wrong: controls, odd blanks, marks without letters, scripts without spaces, long runs."""

from __future__ import annotations

__all__ = ["ADVERSARIAL", "PIECES"]

ADVERSARIAL = [
    "",
    "\x00",
    "a\x00b\x00\x00c",
    "<|endoftext|> and <|startoftext|> [CLS] </s>",
    "    def f(self):\n\t\treturn self.x_1  # 12 345.67\r\n\r\n",
    "   \n  \n\n   x   ",
    " ",
    "\u3000\u3000全角　空白\u00a0\u2028\u2029\x85",
    "don't l'homme п'ять пʼять",
    "食べるラーメンを一〇々ー ーあーア",
    "می‌خواهم نمی‌دانم",
    "नमस्ते ক্ষ ภาษาไทยไม่มีช่องว่าง 한국어 e\u0301\u0302 \u0301 \u0301a",
    "❤️👩\u200d👩\u200d👧\u200d👦🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "\U0010ffff\U000e0001\ufeff\ufffe\uffff",
    "ªºµⅣ½²௧๓",
    "=" * 500 + "-" * 97 + " " * 300 + "\t" * 95 + "\n" * 200,
    "ab" * 200 + "я" * 301 + "ไ" * 65,
]

PIECES = [
    *"aBßяאمกไकि한漢かカーʼ\u0301\u200d1²٣ \t\u3000\n\r_'’…€😀\ufe0f\x00",
    *("  ", "the", " de", "ing", "   "),
]

"""LaTeX commands of characters, functions and accents that MathML writes as characters (names of LaTeX and amsmath)."""

from __future__ import annotations

from typing import Final

__all__ = ["ACCENTS", "FUNCTIONS", "SYMBOLS", "UNDERS"]

_GREEK = (
    "α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda μ mu ν nu "
    "ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi ω omega Γ Gamma "
    "Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega"
)
_OPERATORS = (
    "∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋃ bigcup ⋂ bigcap ⨁ bigoplus ⨂ bigotimes × times ÷ div ± pm ∓ mp "
    "⋅ cdot · cdot ∘ circ ∗ ast ⊕ oplus ⊗ otimes ⊖ ominus ⊙ odot ∧ wedge ∨ vee ∩ cap ∪ cup ≤ leq ≥ geq ≠ neq ≈ approx "
    "≡ equiv ∼ sim ≃ simeq ≅ cong ∝ propto ≪ ll ≫ gg ≺ prec ≻ succ ⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ∈ in ∉ notin "
    "∋ ni ∀ forall ∃ exists ∄ nexists ¬ neg ∅ emptyset ∞ infty ∂ partial ∇ nabla → to ← leftarrow ↔ leftrightarrow "
    "⇒ Rightarrow ⇐ Leftarrow ⇔ Leftrightarrow ⟶ longrightarrow ⟹ Longrightarrow ⟺ Longleftrightarrow ↦ mapsto "
    "↑ uparrow ↓ downarrow … ldots ⋯ cdots ⋮ vdots ⋱ ddots ⟨ langle ⟩ rangle ⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil ‖ Vert "
    "∥ parallel ⊥ perp ∠ angle ∣ mid ∖ setminus ℓ ell ℏ hbar ℜ Re ℑ Im ℵ aleph † dagger ‡ ddagger ⊢ vdash ⊨ models "
    "⊤ top □ square ⋆ star √ surd ∴ therefore ∵ because ′ prime"
)


def _commands(table: str) -> dict[str, str]:
    words = table.split()
    return {letter: "\\" + name for letter, name in zip(words[::2], words[1::2], strict=True)}


SYMBOLS: Final = {
    **_commands(_GREEK),
    **_commands(_OPERATORS),
    "\u2032": "'",
    "\u2212": "-",
    "\u2061": "",  # function application, invisible times, comma and plus
    "\u2062": "",
    "\u2063": ",",
    "\u2064": "",
    "\u00a0": "\\ ",
    "ℝ": "\\mathbb{R}",
    "ℕ": "\\mathbb{N}",
    "ℤ": "\\mathbb{Z}",
    "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}",
}
"""What a character is in LaTeX; one that is not named stands for itself."""

FUNCTIONS: Final = frozenset(
    "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan exp log ln lg lim limsup liminf max min sup inf det dim "
    "ker deg arg gcd hom Pr".split()
)

ACCENTS: Final = {
    "^": "hat",
    "ˆ": "hat",
    "~": "tilde",
    "˜": "tilde",
    "¯": "overline",
    "‾": "overline",
    "_": "overline",
    "―": "overline",
    "→": "vec",
    "⃗": "vec",
    "˙": "dot",
    ".": "dot",
    "¨": "ddot",
    "ˇ": "check",
    "˘": "breve",
    "⏞": "overbrace",
}
UNDERS: Final = {"_": "underline", "¯": "underline", "―": "underline", "⏟": "underbrace"}

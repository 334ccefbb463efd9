"""Where each count of a text stands in the arrays that the measuring kernels hand to `rows`.

One array each for lines, tokens, hits of the word lists and repeated n-grams. What a count means stands at the kernel that fills it;
the names are whole numbers, which Numba compiles into the kernels.
"""

from __future__ import annotations

from typing import Final

# By `lines.measure_lines`. Sentences of lines are those of C4: in lines of 3 words and more that are no policy lines.
(
    FILLED_LINES,
    BULLET_LINES,
    ELLIPSIS_LINES,
    UNTERMINATED_LINES,
    PUNCTUATED_LINES,
    LINES_UNDER_3_WORDS,
    LINES_UP_TO_30_CHARS,
    POLICY_LINES,
    LOREM_IPSUMS,
    LINE_SENTENCES,
    INDENTED_LINES,
    CODE_LINES,
    DIALOGUE_LINES,
    NUMBERED_LINES,
    EQUAL_LINES,
    EQUAL_LINES_CHARS,
    PARAGRAPHS,
    EQUAL_PARAGRAPHS,
    EQUAL_PARAGRAPHS_CHARS,
    C4_REMOVED_LINES,
    C4_REMOVED_CHARS,
    LINES_FROM_200_CHARS,
    JAVASCRIPTS,
    UPPERCASE_LINES,
    NUMERIC_LINES,
    COUNTER_LINES,
    ONE_WORD_LINES,
    SHORT_PHRASE_LINES,
    REFINEDWEB_REMOVED_WORDS,
    ROUND_BULLET_LINES,
    TERMINAL_LINES,
) = range(31)
N_LINE_COUNTS: Final = 31

# Sums over lines, by `lines.measure_lines`: shares of a line's chars.
UPPER_SHARES, NUMBER_SHARES = range(2)
N_LINE_SUMS: Final = 2

# By `word_measures.measure_tokens`. The first words are the first 1000.
(
    WORDS,
    WORD_CHARS,
    ALPHA_TOKENS,
    LONG_WORDS,
    HASH_SIGNS,
    ELLIPSES,
    OPENING_BRACES,
    LATEX_CHARS,
    EQUATIONS,
    QUESTION_MARKS,
    URLS,
    FIRST_WORDS,
    DISTINCT_FIRST_WORDS,
    DISTINCT_WORDS,
    CAPITAL_WORDS,
    CLOSING_BRACES,
    CITATIONS,
    SENTENCES,
) = range(18)
N_TOKEN_COUNTS: Final = 18

# By `word_measures.count_lexicon`: words of the stop list, distinct and all, connectives, and lines that open with a word for step.
DISTINCT_STOP_WORDS, STOP_WORDS, CONNECTIVES, STEP_LINES = range(4)
N_LEXICON_COUNTS: Final = 4

# By `repetition.measure_ngrams`: chars of nine lengths of n-grams, 2 to 10, as Gopher counts them, then as RedPajama v2 does.
GOPHER_NGRAMS: Final = 0
RPV2_NGRAMS: Final = 9
N_NGRAM_COUNTS: Final = 18

# By `structure.measure_structure` (sentences end at their line's end too; the sum of their words' squares), then by
# `distinct_words.measure_distinct_words`.
CLOSED_SENTENCES, SENTENCE_SQUARES, NUMBERS, NAMES, ADDRESSES = range(5)
N_STRUCTURE_COUNTS: Final = 5
YEARS, COMMON_WORDS, RARE_WORDS = range(3)
N_RARITY_COUNTS: Final = 3

"""The categories of the cue lists: words by which a kind of text shows, the same in all 30 languages.

A category of a language is a list of single words in ``data/cues/<language>.toml``, written for this project. The order
is that of the columns and of the bits in `cues.Cues`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CATEGORIES"]

CATEGORIES: Final[dict[str, str]] = {
    "first_person": "I, me, my, and verbs that say I",
    "we": "we, us, our",
    "second_person": "you, your, familiar and polite",
    "third_person": "he, she, they, his, her, their",
    "past_tense": "the verbs that narrate most, in the past",
    "speech": "said, told, according, announced, reported",
    "news": "police, government, court, election, attack",
    "calendar": "days of the week, months, yesterday, today, week, year",
    "sports": "match, team, season, goal, won",
    "opinion": "think, believe, feel, seems, hope, should",
    "praise": "good, best, beautiful, perfect, recommend",
    "blame": "bad, worst, boring, wrong, problem",
    "selling": "buy, order, price, discount, delivery, shop",
    "business": "company, customer, service, solutions, quality",
    "contact": "phone, e-mail, address, opening hours",
    "site": "click, log in, menu, search, share, cookies",
    "chat": "hello, thanks, lol, ok, hey",
    "forum": "post, thread, reply, topic, member",
    "imperative": "instructions: add, put, press, choose, cut",
    "cooking": "recipe, oven, sugar, spoon, bake",
    "academic": "study, results, method, theory, university",
    "encyclopedic": "born, founded, located, century, species",
    "definition": "is, means, called, defined, consists",
    "legal": "law, paragraph, contract, rights, pursuant",
    "administration": "council, committee, ministry, decision, application",
    "education": "school, pupils, teacher, course, exam",
    "religion": "God, church, prayer, prophet, soul",
    "emotion": "love, heart, dream, tears, alone",
    "health": "patient, disease, treatment, symptoms",
    "science": "energy, temperature, cell, process, structure",
    "technology": "software, computer, file, user, version",
    "travel": "hotel, beach, trip, airport, booking",
    "spam": "casino, bonus, viagra, dating, loan",
    "inference": "because, therefore, thus, hence, since",
    "contrast": "but, however, although, while, instead",
    "sequence": "first, second, next, then, finally",
    "condition": "if, suppose, unless, otherwise, case",
    "conclusion": "answer, solution, result, proof, solve",
    "calculation": "add, divide, sum, times, half, percent",
    "explanation": "explain, note, consider, example, why, how",
    "generic": "usually, often, most, several, consists, contains, respectively",
    "recent": "now, new, last, soon, already, recently, again",
    "references": "edit, sources, external, category, ISBN, archived",
    "attitude": "very, really, quite, just, simply, nothing",
    "promotion": "discover, enjoy, ideal, exclusive, collection, comfort",
    "review": "book, film, album, author, character, plot",
    "everyday": "home, mum, friends, weekend, dinner, tired",
}
"""Name of each category → some of its English words."""

"""The shipped models of quality, knowledge density and genre: what they are made of, and their order of plain cases in several languages."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from headwater.filters.scores.names import GENRES
from headwater.filters.scores.score import score
from headwater.filters.scores.shipped import shipped_scorer
from headwater.filters.signals.columns import SIGNALS
from headwater.filters.signals.lexicon import STOP_WORDS
from headwater.filters.signals.measure import measure_signals

TRAINED = ("quality", "knowledge_density", "domain")
INFORMING = {
    "en": "The Danube is the second-longest river in Europe (2,850 km), after the Volga. It rises in the Black "
    "Forest and usually consists of several arms in its delta, which was listed in 1991. Most of its "
    "water comes from the Alps; its tributaries include the Inn (518 km), the Drava and the Tisza. The "
    "river is known under various names and has been a border since the 1st century.",
    "es": "El Danubio es el segundo río más largo de Europa (2850 km), después del Volga. Nace en la Selva "
    "Negra y normalmente se divide en varios brazos en su delta, que fue declarado patrimonio en 1991. La "
    "mayor parte del agua proviene de los Alpes; sus afluentes incluyen el Inn (518 km), el Drava y el "
    "Tisza. El río es conocido con diversos nombres y fue una frontera desde el siglo I.",
    "ru": "Дунай — вторая по длине река Европы (2850 км) после Волги. Берёт начало в Шварцвальде и обычно "
    "делится на несколько рукавов в дельте, которая была включена в список в 1991 году. Большая часть "
    "воды поступает с Альп; его притоки включают Инн (518 км), Драву и Тису. Река известна под различными "
    "названиями и была границей с I века.",
}
SELLING = {
    "en": "Buy your perfect sofa now! Discover our exclusive collection and enjoy free delivery on all orders "
    "over €50. We offer the best prices, great discounts and a two-year warranty. Order today in our "
    "online shop and save 20%! Your comfort is our passion: choose the style that suits you. Contact us, "
    "our friendly team will help you find the ideal product for your home.",
    "es": "¡Compra ahora tu sofá perfecto! Descubre nuestra exclusiva colección y disfruta de envío gratis en "
    "todos los pedidos de más de 50 €. Te ofrecemos los mejores precios, grandes descuentos y dos años de "
    "garantía. ¡Haz tu pedido hoy en nuestra tienda online y ahorra un 20 %! Tu comodidad es nuestra "
    "pasión: elige el estilo que más te gusta. Contacta con nosotros, nuestro equipo te ayudará a "
    "encontrar el producto ideal para tu casa.",
    "ru": "Купите идеальный диван прямо сейчас! Откройте нашу эксклюзивную коллекцию и получите бесплатную "
    "доставку на все заказы от 5000 ₽. Мы предлагаем лучшие цены, большие скидки и гарантию два года. "
    "Закажите сегодня в нашем интернет-магазине и сэкономьте 20 %! Ваш комфорт — наша работа: выберите "
    "свой стиль. Звоните нам, наши менеджеры помогут вам выбрать лучший товар для вашего дома.",
}


def scored(text: str, language: str) -> dict[str, Any]:
    """Scores of a text."""
    languages = pa.array([language])
    row: dict[str, Any] = score(measure_signals(pa.array([text]), languages), languages).to_pylist()[0]
    return row


@pytest.mark.parametrize("name", TRAINED)
def test_models_are_whole(name: str) -> None:
    """Each reads signals that exist, knows the 30 languages, names its data and licence, and holds no words of a text."""
    model = shipped_scorer(name).model
    assert set(model.signals) <= set(SIGNALS)
    assert set(model.centers) == set(model.scales) == set(STOP_WORDS)
    assert {"about", "data", "licence", "settings"} <= set(model.card)
    assert model.words is None


def test_genres_have_names_that_columns_know() -> None:
    """The classes are genres of the column; kinds of informational text have it as their parent."""
    model = shipped_scorer("domain").model
    assert set(model.classes) <= set(GENRES)
    assert {parent for parent, _ in model.parents.values()} == {"informational"}


@pytest.mark.parametrize("language", sorted(SELLING))
def test_order_of_plain_cases(language: str) -> None:
    """What informs has more knowledge and quality than what sells, and each is of its genre, in languages that trained nothing."""
    informing, selling = scored(INFORMING[language], language), scored(SELLING[language], language)
    assert informing["knowledge_density"] > selling["knowledge_density"] + 10_000
    assert informing["quality"] > selling["quality"] + 10_000
    assert selling["domain"] == "selling"
    assert informing["domain"] in ("informational", "encyclopedia")


def test_language_without_lists_is_of_no_genre() -> None:
    """Where no list knows the language, the genre is general and scores are still numbers."""
    row = scored(SELLING["en"], "und")
    assert row["domain"] == "general"
    assert all(0 <= row[name] <= 65_535 for name in ("quality", "knowledge_density"))

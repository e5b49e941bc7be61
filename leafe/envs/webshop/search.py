"""The search engine: BM25 over what the original indexes, with the original's settings.

The original asks Lucene (Pyserini: k1 0.9, b 0.4, Porter's stemmer); here `bm25s` scores, and a
plural's s is all that is cut off a word. Equal scores stand in the order of the catalogue, and
scores are compared to four decimals, so that no machine's rounding changes an order.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import bm25s
import numpy as np
from bm25s.stopwords import STOPWORDS_EN

from leafe.envs.webshop.product import Product

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for all of its own debugging

MOST_RESULTS = 50
WORD = re.compile(r"[^\W_]+")


class Index:
    """Finds products by words; made once per catalogue."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = products
        self._engine = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
        self._engine.index([words(_document(p)) for p in products], show_progress=False)

    def search(self, keywords: str) -> tuple[Product, ...]:
        """The best products, at most 50; those without any of the words are none."""
        tokens = self._engine.get_tokens_ids(words(keywords))
        if not tokens:
            return ()
        scores = np.round(self._engine.get_scores_from_ids(tokens).astype(np.float64), 4)
        at = max(0, len(scores) - MOST_RESULTS)
        least = np.partition(scores, at)[at]
        found = np.flatnonzero((scores >= least) & (scores > 0))
        best = sorted(found.tolist(), key=lambda number: (-scores[number], number))
        return tuple(self._products[number] for number in best[:MOST_RESULTS])


def words(text: str) -> list[str]:
    """The words that count, in small letters and without a plural's s.

    >>> words("The hiking BOOTS, made of glass")
    ['hiking', 'boot', 'made', 'glass']
    """
    found = (word for word in WORD.findall(text.lower()) if word not in STOPWORDS_EN)
    return [_singular(word) for word in found]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word


def _document(product: Product) -> str:
    """Name, description, first feature and options, as the original."""
    options = (f"{name} {' '.join(values)}" for name, values in product.options)
    return " ".join((product.name, product.description, *product.features[:1], *options))

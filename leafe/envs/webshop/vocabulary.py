"""The words that generated products are made of: all of them this project's own.

Kept by tests: no two kinds of product share a word; within a department no attribute and within
an option no value counts as another one (`leafe.envs.webshop.reward`), so that a goal means one
thing; and no attribute has a word of a kind in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of product."""

    name: str
    prices: tuple[int, int]
    """Dollars: the cheapest, the dearest."""
    options: tuple[str, ...]
    """Keys of `VALUES`."""


class Department(NamedTuple):
    """Kinds of product that share their attributes."""

    name: str
    attributes: tuple[str, ...]
    kinds: tuple[Kind, ...]


VALUES = {
    "color": [
        "black",
        "white",
        "red",
        "blue",
        "green",
        "yellow",
        "grey",
        "brown",
        "pink",
        "purple",
    ],
    "pattern": ["plain", "striped", "checked", "dotted", "floral"],
    "finish": ["oak", "walnut", "birch", "mahogany"],
    "flavor": ["vanilla", "hazelnut", "ginger", "cinnamon", "lemon", "cherry", "coconut"],
    "scent": ["lavender", "cedar", "jasmine", "citrus", "unscented"],
    "size:clothes": ["x-small", "small", "medium", "large", "x-large"],
    "size:shoes": ["6", "7", "8", "9", "10", "11"],
    "size:bed": ["twin", "full", "queen", "king"],
    "size:liters": ["1 liter", "2 liters", "3 liters", "5 liters"],
    "size:grams": ["100 grams", "250 grams", "500 grams", "1 kilogram"],
    "size:bottle": ["50 ml", "100 ml", "250 ml", "500 ml"],
    "size:width": ["40 cm", "60 cm", "80 cm", "120 cm"],
    "size:length": ["2 meters", "5 meters", "10 meters", "20 meters"],
    "size:weight": ["2 kg", "4 kg", "6 kg", "10 kg"],
    "size:pack": ["single", "pack of 2", "pack of 4", "pack of 8"],
}
"""The values of an option; what stands before the colon is its name."""

CLOTHING = Department(
    "Clothing",
    (
        "machine washable", "quick drying", "windproof", "organic cotton", "slim fit",
        "deep pockets", "high collar", "tagless", "reinforced seams", "breathable",
    ),
    (
        Kind("rain jacket", (35, 140), ("color", "size:clothes")),
        Kind("hoodie", (20, 80), ("color", "size:clothes")),
        Kind("cardigan", (25, 110), ("pattern", "size:clothes")),
        Kind("work trousers", (30, 95), ("color", "size:clothes")),
        Kind("pyjama set", (18, 70), ("pattern", "size:clothes")),
    ),
)  # fmt: skip
FOOTWEAR = Department(
    "Footwear",
    (
        "waterproof", "wide toe box", "arch support", "slip resistant", "vegan leather",
        "memory foam", "lightweight", "padded ankle", "reflective", "hand stitched",
    ),
    (
        Kind("hiking boots", (50, 190), ("color", "size:shoes")),
        Kind("running shoes", (40, 160), ("color", "size:shoes")),
        Kind("sandals", (15, 75), ("color", "size:shoes")),
        Kind("slippers", (12, 50), ("pattern", "size:shoes")),
        Kind("wellingtons", (22, 90), ("color", "size:shoes")),
    ),
)  # fmt: skip
KITCHEN = Department(
    "Kitchen",
    (
        "dishwasher safe", "stainless steel", "non stick", "bpa free", "cool touch handle",
        "space saving", "scratch proof", "rust resistant", "one hand use", "stackable",
    ),
    (
        Kind("kettle", (20, 90), ("color", "size:liters")),
        Kind("frying pan", (18, 120), ("color", "size:pack")),
        Kind("chopping board", (9, 45), ("finish", "size:pack")),
        Kind("spice jar", (6, 40), ("color", "size:liters")),
        Kind("coffee grinder", (25, 150), ("color",)),
    ),
)  # fmt: skip
PANTRY = Department(
    "Pantry",
    (
        "gluten free", "sugar free", "organic", "high protein", "low sodium",
        "resealable bag", "fair trade", "vegan", "no additives", "whole grain",
    ),
    (
        Kind("granola", (4, 22), ("flavor", "size:grams")),
        Kind("crackers", (3, 15), ("flavor", "size:pack")),
        Kind("herbal tea", (4, 28), ("flavor", "size:grams")),
        Kind("energy bars", (8, 38), ("flavor", "size:pack")),
        Kind("pancake mix", (4, 19), ("flavor", "size:grams")),
    ),
)  # fmt: skip
BEAUTY = Department(
    "Beauty",
    (
        "cruelty free", "paraben free", "sensitive skin", "long lasting", "pump bottle",
        "vitamin enriched", "dermatologist tested", "fast absorbing", "refillable", "handmade",
    ),
    (
        Kind("shampoo", (6, 34), ("scent", "size:bottle")),
        Kind("face cream", (9, 75), ("scent", "size:bottle")),
        Kind("liquid soap", (4, 24), ("scent", "size:bottle")),
        Kind("lip balm", (3, 16), ("flavor", "size:pack")),
        Kind("massage oil", (8, 45), ("scent", "size:bottle")),
    ),
)  # fmt: skip
ELECTRONICS = Department(
    "Electronics",
    (
        "noise cancelling", "quick charging", "voice control", "splash proof", "foldable",
        "backlit display", "usb powered", "auto shutoff", "metal case", "solar cell",
    ),
    (
        Kind("headphones", (25, 260), ("color",)),
        Kind("bluetooth speaker", (20, 180), ("color",)),
        Kind("alarm clock", (12, 65), ("color",)),
        Kind("power bank", (15, 85), ("color", "size:pack")),
        Kind("webcam", (22, 140), ("color",)),
    ),
)  # fmt: skip
FURNITURE = Department(
    "Furniture",
    (
        "solid wood", "easy assembly", "wall mounted", "height adjustable", "rounded corners",
        "steel frame", "hidden storage", "locking wheels", "child safe", "felt feet",
    ),
    (
        Kind("bookcase", (45, 320), ("finish", "size:width")),
        Kind("swivel chair", (60, 380), ("color",)),
        Kind("bedside table", (35, 210), ("finish", "size:width")),
        Kind("floor lamp", (28, 190), ("color",)),
        Kind("coat rack", (19, 120), ("finish",)),
    ),
)  # fmt: skip
BEDROOM = Department(
    "Bedroom",
    (
        "hypoallergenic", "wrinkle free", "thermal insulated", "extra soft", "stain resistant",
        "double stitched", "fade proof", "pure linen", "cooling", "tumble dry",
    ),
    (
        Kind("duvet cover", (25, 140), ("color", "size:bed")),
        Kind("pillow", (12, 80), ("size:bed",)),
        Kind("blanket", (18, 115), ("pattern", "size:bed")),
        Kind("curtains", (20, 130), ("color", "size:width")),
        Kind("mattress topper", (55, 290), ("size:bed",)),
    ),
)  # fmt: skip
GARDEN = Department(
    "Garden",
    (
        "frost resistant", "kink free", "drip tray", "brass fittings", "uv stable",
        "soft grip", "squirrel proof", "galvanized", "self draining", "recycled plastic",
    ),
    (
        Kind("watering can", (9, 48), ("color", "size:liters")),
        Kind("plant pot", (7, 60), ("color", "size:width")),
        Kind("hose", (15, 85), ("color", "size:length")),
        Kind("pruning shears", (11, 70), ("color",)),
        Kind("bird feeder", (10, 55), ("color", "size:pack")),
    ),
)  # fmt: skip
SPORTS = Department(
    "Sports",
    (
        "anti slip", "carry strap", "sweat resistant", "latex free", "knurled grip",
        "beginner friendly", "double sided", "odor free", "reinforced edges", "shock absorbing",
    ),
    (
        Kind("yoga mat", (14, 95), ("color", "size:width")),
        Kind("dumbbells", (16, 150), ("color", "size:weight")),
        Kind("skipping rope", (6, 35), ("color", "size:length")),
        Kind("tennis racket", (30, 240), ("color",)),
        Kind("camping tent", (60, 400), ("color", "size:pack")),
    ),
)  # fmt: skip

DEPARTMENTS = (
    CLOTHING, FOOTWEAR, KITCHEN, PANTRY, BEAUTY, ELECTRONICS, FURNITURE, BEDROOM, GARDEN, SPORTS,
)  # fmt: skip

STARTS = (
    "bal", "bren", "cal", "cor", "dar", "del", "fal", "fer", "gal", "hel", "jor", "kal",
    "lan", "lor", "mar", "mel", "nor", "pel", "ral", "sol", "tor", "ul", "var", "wen",
)  # fmt: skip
MIDDLES = ("a", "e", "i", "o", "u", "ai", "ea", "io", "ou", "ya")
ENDS = (
    "bren", "cor", "dal", "den", "fen", "lin", "lo", "mar", "mond", "nor", "shi", "ton",
    "vek", "ven", "vo", "win", "zen",
)  # fmt: skip
"""A model's name is one of each: nothing that is sold anywhere, as far as we know."""

PRAISE = ("Does what it says", "Glad I bought it", "Would buy again", "Good for the price")
BLAME = ("Not for me", "Arrived late", "I expected more", "It is all right")
OPENINGS = (
    "The {model} {kind} is made for every day.",
    "We designed the {model} {kind} after asking those who use one daily.",
    "A {kind} for people who keep their things for years: the {model}.",
    "The {model} is our best known {kind}.",
)
"""How a description begins; none names an attribute."""
REMARKS = (
    "Worth knowing: {attribute}.",
    "What customers like most: {attribute}.",
    "Not said in its name: {attribute}.",
)
"""How a description goes on, with one attribute."""

"""Making and changing weights: the only place, with the engines, that imports torch."""

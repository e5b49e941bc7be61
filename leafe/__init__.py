"""LEAFE: learning feedback-grounded agency from reflective experience (arXiv 2603.16843)."""

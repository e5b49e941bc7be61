"""Implementations of the engine port (`leafe/engine.py`)."""

"""Environments that are not part of leafe: copy one to start your own."""

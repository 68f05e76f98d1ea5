"""Seals calls while they go on: the journal in; segments, leaves, beats and ended calls out."""

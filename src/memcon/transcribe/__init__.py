"""Transcription: where somebody speaks, what is said there, by which engine, live and afterwards."""

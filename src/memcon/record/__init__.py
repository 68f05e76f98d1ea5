"""What is sealed, byte for byte: docs/FORMATS.md in code. Pure; standard library only."""

"""memcon: a recorder of record for official calls."""

__version__ = "0.1.0"

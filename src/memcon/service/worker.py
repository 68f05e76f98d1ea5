"""One worker process: `python -m memcon.service.worker capture|seal|witness|office --home DIR`.

Exit codes: 0 a clean stop, 2 it could not start or go on for a reason that starting again will not
cure by itself (the supervisor says so), 1 anything else.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.capture.calls import ReceiptKey, Settings
from memcon.capture.log import Log
from memcon.capture.process import CaptureSettings, run_capture
from memcon.capture.server import Endpoint
from memcon.capture.tls import TlsFiles
from memcon.clock import SystemClock
from memcon.errors import MemconError
from memcon.seal.keys import load_keys
from memcon.seal.process import run_seal
from memcon.service import config as configuration
from memcon.service.office import run_office
from memcon.service.parts import config_parts
from memcon.service.witnessing import run_witnessing
from memcon.store.durable import read_bytes
from memcon.store.paths import Home


def capture_settings(home: Home) -> CaptureSettings:
    """What capture needs, from the home's configuration, keys and custodians."""
    config = configuration.load(home.config)
    keys = load_keys(home.keys)
    receipt = Ed25519PrivateKey.from_private_bytes(keys.receipt)
    first, last = config.media_ports
    return CaptureSettings(
        Settings(
            config.origin,
            config.period * 1000,
            config.media_address,
            tuple((line.name, line.match) for line in config.lines),
        ),
        tuple(Endpoint(end.transport, end.host, end.port) for end in config.sip_listen),
        f"{first}-{last}",
        config_parts(config, keys, read_bytes(home.custodians)),
        ReceiptKey(keys.receipt_public(), receipt.sign),
        TlsFiles(config.sip_certificate, config.sip_key)
        if config.sip_certificate is not None and config.sip_key is not None
        else None,
    )


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def main(argv: list[str] | None = None) -> int:
    """Run one role until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="memcon.service.worker")
    parser.add_argument("role", choices=("capture", "seal", "witness", "office"))
    parser.add_argument("--home", type=Path, required=True)
    args = parser.parse_args(argv)
    home, clock = Home(args.home), SystemClock()
    try:
        config = configuration.load(home.config)
        home = Home(args.home, journal_fallback=config.journal_fallback)
        if args.role == "capture":
            run_capture(home, capture_settings(home), clock)
        elif args.role == "seal":
            run_seal(home, _stop_event(), clock, Log(clock), witnessed=config.witness_policy is not None)
        elif args.role == "witness":
            run_witnessing(home, config, clock, _stop_event())
        else:
            run_office(home, config, clock)
    except MemconError as error:
        sys.stderr.write(f"memcon {args.role}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the capture process is told: the home's configuration, keys and custodians."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from memcon.capture.calls import ReceiptKey, Settings
from memcon.capture.process import CaptureSettings
from memcon.capture.server import Endpoint
from memcon.capture.tls import TlsFiles
from memcon.seal.keys import load_keys
from memcon.service import config as configuration
from memcon.service.parts import config_parts
from memcon.store.durable import read_bytes

if TYPE_CHECKING:
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

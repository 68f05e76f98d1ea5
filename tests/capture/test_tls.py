"""SIP over TLS: calls, certificates that are renewed or wrong, peers that speak no TLS."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.capture.kit import HOST, Lines, controls, running, sdp, settings, sip, until

from memcon.capture.endpoints import Endpoint
from memcon.capture.log import Log
from memcon.capture.tls import LOOK_NS, Tls, TlsFiles
from memcon.clock import ManualClock
from memcon.errors import LocalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.capture.kit import Running

    from memcon.capture.process import CaptureSettings
    from memcon.store.paths import Home


def make_pair(directory: Path, name: str = "localhost") -> TlsFiles:
    """A self-signed certificate for loopback, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    files = TlsFiles(directory / "sip.pem", directory / "sip.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def secured(files: TlsFiles | None) -> CaptureSettings:
    chosen = settings(Endpoint("tls", HOST, 0))
    return type(chosen)(
        chosen.recorder, chosen.listen, chosen.media_ports, chosen.config_parts, chosen.receipt_key, files
    )


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def ask(server: Running, *messages: bytes, until_: bytes) -> tuple[bytes, bytes]:
    """Send messages over TLS; what came back until the text is in it, and the certificate."""
    reader, writer = await asyncio.open_connection(HOST, server.port("tls"), ssl=trusting())
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.writelines(messages)
    got = b""
    async with asyncio.timeout(10):
        while until_ not in got:
            got += await reader.read(65_535)
    writer.close()
    return got, certificate


def test_a_call_over_tls(home: Home, tmp_path: Path) -> None:
    async def main() -> None:
        async with running(home, secured(make_pair(tmp_path))) as server:
            invite = sip(body=sdp("1")).replace(b"/UDP", b"/TLS")
            got, _ = await ask(server, invite, until_=b"a=label:1")
            assert b"SIP/2.0 200 OK" in got
            assert b";transport=tls>;+sip.srs" in got
            await until(lambda: bool(server.lines.events("call started")))
            (call,) = controls(await server.journal(), "call")
            assert call.facts["transport"] == "tls"

    asyncio.run(main())


def test_a_peer_that_speaks_no_tls_disturbs_nobody(home: Home, tmp_path: Path) -> None:
    async def main() -> None:
        async with running(home, secured(make_pair(tmp_path))) as server:
            reader, writer = await asyncio.open_connection(HOST, server.port("tls"))
            writer.write(sip("OPTIONS"))
            assert b"SIP" not in await reader.read(65_535)
            writer.close()
            options = sip("OPTIONS").replace(b"/UDP", b"/TLS")
            assert b"200 OK" in (await ask(server, options, until_=b"\r\n\r\n"))[0]

    asyncio.run(main())


def test_a_renewed_certificate_is_used_for_new_connections(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcon.capture.tls.LOOK_NS", 0)
    options = sip("OPTIONS").replace(b"/UDP", b"/TLS")

    async def main() -> None:
        async with running(home, secured(make_pair(tmp_path))) as server:
            _, first = await ask(server, options, until_=b"\r\n\r\n")
            make_pair(tmp_path, "renewed")
            await until(lambda: bool(server.lines.events("certificate renewed")))
            _, second = await ask(server, options, until_=b"\r\n\r\n")
            assert first != second

    asyncio.run(main())


def test_a_renewal_that_cannot_be_used_leaves_the_old_one(tmp_path: Path) -> None:
    clock, lines = ManualClock(), Lines()
    files = make_pair(tmp_path)
    tls, log = Tls(files), Log(clock, lines)
    tls.look(1, log)
    files.key.write_text("nonsense")
    tls.look(2, log)  # too early to look again
    assert not lines.events()
    tls.look(1 + LOOK_NS, log)
    tls.look(1 + 2 * LOOK_NS, log)
    assert len(lines.events("certificate not renewed")) == 1  # said once
    files.key.unlink()
    tls.look(1 + 3 * LOOK_NS, log)
    assert len(lines.events("certificate not renewed")) == 2
    make_pair(tmp_path)
    tls.look(1 + 4 * LOOK_NS, log)
    assert len(lines.events("certificate renewed")) == 1


def other_key(files: TlsFiles) -> None:
    files.key.write_bytes(make_pair(files.key.parent.parent).key.read_bytes())


def locked(files: TlsFiles) -> None:
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)
    )


@pytest.mark.parametrize(
    "damage", [other_key, locked, lambda f: f.key.unlink(), lambda f: f.certificate.write_text("x")]
)
def test_files_that_cannot_be_used_are_refused(tmp_path: Path, damage: Callable[[TlsFiles], None]) -> None:
    (tmp_path / "inner").mkdir()
    files = make_pair(tmp_path / "inner")
    damage(files)
    with pytest.raises(UsageError, match=r"sip\.pem"):
        Tls(files)


def test_tls_without_a_certificate_is_a_defect_of_ours(home: Home) -> None:
    async def main() -> None:
        async with running(home, secured(None)):
            pass

    with pytest.raises(LocalError, match="without a certificate"):
        asyncio.run(main())


@pytest.mark.foreign
def test_openssl_speaks_with_it(home: Home, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no `openssl`: apt-get install openssl")
    options = sip("OPTIONS").replace(b"/UDP", b"/TLS")

    async def main() -> str:
        async with running(home, secured(make_pair(tmp_path))) as server:
            where = f"{HOST}:{server.port('tls')}"
            process = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-connect", where, "-ign_eof", "-brief",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(options)
            said = b""
            async with asyncio.timeout(20):
                while b"Content-Length: 0" not in said:
                    said += await process.stdout.read(4096)
            process.kill()
            await process.communicate()
            return said.decode(errors="replace")

    said = asyncio.run(main())
    assert "SIP/2.0 200 OK" in said
    assert "TLSv1.3" in said

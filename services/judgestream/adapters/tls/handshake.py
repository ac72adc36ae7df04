"""Why a server cannot be reached, if TLS is the reason. gRPC often says no more than "Socket closed"."""

import socket
import ssl

from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.tls.reasons import EXPIRED, NOT_TLS, NOT_YET_VALID, OTHER_NAMES
from judgestream.core.fleet.server_list import parse_servers

NO_CONNECTION = ("failed to connect", "Socket closed", "handshake", "Connection reset")
"""In gRPC's text when no connection was made."""

PROBE_S = 2.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""What an HTTP/2 client sends first, with empty settings. A server that takes the connection answers it."""


def tls_problem(address: str, tls: ClientTls, *, seconds: float = PROBE_S) -> str:
    """Try the handshake once. Blocks.

    Args:
        address: host:port.
        seconds: time limit of each step.

    Returns:
        What is wrong and how to fix it, as a sentence about "it", the server; "" if TLS is not the reason.
    """
    try:
        (entry,) = parse_servers(address)
        with socket.create_connection((entry.host, entry.port), seconds) as connection:
            connection.settimeout(seconds)
            if not tls.enabled:
                return _without_tls(connection, tls)
            return _with_tls(connection, tls, tls.server_name or entry.host)
    except (OSError, ValueError):  # nothing listens, or it has no TCP address
        return ""


def _without_tls(connection: socket.socket, tls: ClientTls) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(connection):
            pass
    except ssl.SSLError as exc:
        if "ALERT" not in (exc.reason or ""):
            return ""
    return f"it speaks TLS, and this client does not: set {tls.group}.tls to true"


def _with_tls(connection: socket.socket, tls: ClientTls, name: str) -> str:
    group = tls.group
    try:
        context = tls.context()
    except OSError:
        return f"the files of {group}.ca_file, certificate_file and key_file cannot be read"
    try:
        with context.wrap_socket(connection, server_hostname=name) as secured:
            secured.sendall(_PREFACE)
            return "" if secured.recv(1) else _refused(tls)
    except ssl.SSLCertVerificationError as exc:
        return _untrusted(exc, group, name)
    except ssl.SSLError as exc:
        reason = exc.reason or ""
        if "ALERT" in reason or "CERTIFICATE_REQUIRED" in reason:
            return _refused(tls)
        if any(one in reason for one in NOT_TLS):
            return f"it speaks no TLS: set {group}.tls to false, or give the server a certificate"
        return f"the TLS handshake failed ({reason or 'no reason given'})"
    except (ConnectionError, BrokenPipeError):
        return _refused(tls)


def _untrusted(error: ssl.SSLCertVerificationError, group: str, name: str) -> str:
    if error.verify_code == EXPIRED:
        return "its certificate has expired: renew it, and restart the server if it does not read it again"
    if error.verify_code == NOT_YET_VALID:
        return "its certificate is not valid yet: compare the clocks of both machines"
    if error.verify_code in OTHER_NAMES:
        return (
            f"its certificate is not for {name}: call it by a name in its certificate, or set"
            f" {group}.server_name to one"
        )
    return (
        f"its certificate is not trusted ({error.verify_message}): set {group}.ca_file to the authority that"
        " issued it"
    )


def _refused(tls: ClientTls) -> str:
    if tls.certificate_file is None:
        return (
            f"it asks for a client certificate: set {tls.group}.certificate_file and"
            f" {tls.group}.key_file"
        )
    return (
        f"it refuses the client certificate of {tls.group}.certificate_file: renew it if it has expired, or"
        " take one of the authority that the server trusts"
    )

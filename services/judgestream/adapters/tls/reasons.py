"""OpenSSL's codes and words for the reasons of a failed handshake that our errors tell apart."""

EXPIRED, NOT_YET_VALID = 10, 9
"""Verification codes of a certificate."""

OTHER_NAMES = (62, 64)
"""Verification codes of a certificate without the name, or without the address."""

NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH")
"""In the reason when the server does not speak TLS."""

"""An issuer of signed tokens (JWT) for one test, and its public key as a file (JWKS)."""

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://issuer.test"
AUDIENCE = "kafka"


class TokenIssuer:
    """Signs tokens that a broker verifies with `key_set`."""

    def __init__(self, folder: Path, *, name: str = "issuer") -> None:
        self._key = ECKey.generate_key("P-256", {"kid": name, "use": "sig", "alg": "ES256"})
        self.key_set = folder / f"{name}.jwks.json"
        self.key_set.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(self, subject: str, *, life_s: float = 600.0) -> str:
        """A token of this user. A negative life has expired."""
        now = time.time()
        claims = {
            "sub": subject,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(now - 1000),
            "exp": int(now + life_s),
        }
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)

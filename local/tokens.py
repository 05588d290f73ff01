"""Users, and the access tokens they get: such as Cognito's, signed by a key of this service."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SCOPE = "cutline/exports"

HOUR = 3600

KEY_ID = "local"


class User(NamedTuple):
    name: str
    password: str
    groups: tuple[str, ...] = ()

    @property
    def sub(self) -> str:
        """The same at every start: it owns what ``--data`` keeps."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://cutline.example/users/{self.name}"))

    @property
    def email(self) -> str:
        return f"{self.name}@cutline.example"


USERS = {user.name: user for user in (User("demo", "demo"), User("other", "other"), User("admin", "admin", ("admin",)))}

CONSOLE = "cutline-console"
"""The client of people: no secret, code with PKCE"""

MACHINE = "cutline-machine"
"""The client of programs, and their owner id"""

MACHINE_SECRET = "machine"  # noqa: S105 – as open as the demo users' passwords, on loopback alone


class Tokens:
    """Signs and checks."""

    def __init__(self, issuer: str, key: rsa.RSAPrivateKey | None = None) -> None:
        self.issuer = issuer
        self.key = key or rsa.generate_private_key(65537, 2048)

    def of_user(self, user: User, scope: str = f"{SCOPE} openid") -> str:
        groups = {"cognito:groups": list(user.groups)} if user.groups else {}
        return self._signed(sub=user.sub, username=user.name, client_id=CONSOLE, scope=scope, **groups)

    def of_machine(self) -> str:
        return self._signed(sub=MACHINE, client_id=MACHINE, scope=SCOPE)

    def _signed(self, **claims: Any) -> str:
        now = int(time.time())
        common = {"iss": self.issuer, "token_use": "access", "iat": now, "auth_time": now, "exp": now + HOUR}
        common |= {"jti": secrets.token_hex(8), "version": 2}
        return jwt.encode({**common, **claims}, self.key, algorithm="RS256", headers={"kid": KEY_ID})

    def claims(self, token: str) -> dict[str, Any]:
        """What a token says, if it is one for the API. Raises jwt.InvalidTokenError."""
        claims: dict[str, Any] = jwt.decode(
            token,
            self.key.public_key(),
            algorithms=["RS256"],
            issuer=self.issuer,
            options={"require": ["exp", "iss", "sub"], "verify_aud": False},
        )
        if claims.get("token_use") != "access":
            raise jwt.InvalidTokenError("it is no access token")
        if claims.get("client_id") not in (CONSOLE, MACHINE):
            raise jwt.InvalidTokenError("it is for another client")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise jwt.InvalidTokenError(f"it lacks the scope {SCOPE}")
        return claims

    def key_set(self) -> dict[str, Any]:
        """The JWKS."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]}

    def pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

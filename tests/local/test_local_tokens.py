"""Which access tokens the gateway takes, one reason at a time: all of these are signed by the right key."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.tokens import CONSOLE, SCOPE, USERS, Tokens

TOKENS = Tokens("http://127.0.0.1:8000/users", rsa.generate_private_key(65537, 2048))


def token(key: Any = TOKENS.key, algorithm: str = "RS256", **changed: Any) -> str:
    claims = {"iss": TOKENS.issuer, "sub": "anna", "exp": int(time.time()) + 60, "token_use": "access"}
    claims |= {"client_id": CONSOLE, "scope": f"openid {SCOPE}", **changed}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm=algorithm)


def test_a_right_one_is_taken() -> None:
    assert TOKENS.claims(token())["sub"] == "anna"
    assert TOKENS.claims(TOKENS.of_user(USERS["admin"]))["cognito:groups"] == ["admin"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": int(time.time()) - 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"iss": "https://elsewhere.example"}, "issuer"),
        ({"sub": None}, "sub"),
        ({"token_use": "id"}, "access token"),
        ({"client_id": "another"}, "client"),
        ({"scope": "openid email"}, SCOPE),
        ({"scope": f"{SCOPE}-not"}, SCOPE),
        ({"scope": None}, SCOPE),
    ],
)
def test_what_is_not_for_us_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(jwt.InvalidTokenError, match=said):
        TOKENS.claims(token(**changed))


def test_keys_and_algorithms_of_others_are_refused() -> None:
    for wrong in (
        token(rsa.generate_private_key(65537, 2048)),
        token("a secret that is long enough for HMAC", "HS256"),
        token(None, "none"),
        token() + "x",
        "nothing",
    ):
        with pytest.raises(jwt.InvalidTokenError):
            TOKENS.claims(wrong)


def test_owner_ids_are_fixed() -> None:
    assert {name: user.sub for name, user in USERS.items()} == {
        "demo": "40cab601-7b5e-53ed-ad98-f2dc0d02a1bc",
        "other": "03e3c2d8-4e47-5a8d-83fe-736982484d3d",
        "admin": "b0aec446-bf69-5a4f-acb0-cd4ba08e7e5b",
    }

"""How a user lets us into their Dropbox: OAuth 2's code flow, with a refresh token that lasts until they revoke it.

With a redirect address Dropbox brings the code there, and whoever answers at it checks ``state``; without one it shows
the code to the user, who hands it to us.
"""

from __future__ import annotations

from urllib.parse import urlencode

from pydantic import SecretStr

from cutline.errors import BadCredentials, DeliveryRejected, InternalError, NotFound, TransientError
from cutline.models.destination import DropboxSecret
from cutline.settings import service
from cutline.store.faults import translated
from cutline.store.secrets import plain_text

SCOPES = ("account_info.read", "files.content.write", "files.metadata.read")
"""What we ask for: how much room there is, writing, and what was written. Not what else is in the account"""
AUTHORISE = "authorise the destination again"


def authorize_url(state: str) -> str:
    """Where the user says yes. Raises DeliveryRejected where this deployment has no Dropbox app."""
    asked = {
        "response_type": "code",
        "client_id": app_key(),
        "token_access_type": "offline",
        "scope": " ".join(SCOPES),
        "state": state,
    }
    redirect = {"redirect_uri": service().dropbox_redirect} if service().dropbox_redirect else {}
    return f"https://www.dropbox.com/oauth2/authorize?{urlencode({**asked, **redirect})}"


def exchange(code: str) -> DropboxSecret:
    """What the code that Dropbox gave to the user opens. Raises BadCredentials where it is wrong, used or too old."""
    # The SDK is in the layer of those who deliver; who only shows the address above has to do without it.
    import requests  # noqa: PLC0415
    from dropbox.oauth import DropboxOAuth2Flow  # noqa: PLC0415

    checked = "the state was checked by who asked for it"  # the SDK wants to see that in a session of its own
    flow = DropboxOAuth2Flow(
        app_key(),
        service().dropbox_redirect or None,
        {"state": checked},
        "state",
        consumer_secret=app_secret(),
        timeout=20,
    )
    try:
        opened = flow.finish({"code": code.strip(), "state": checked})
    except requests.HTTPError as error:
        if error.response.status_code >= 500 or error.response.status_code == 429:
            raise TransientError(f"Dropbox answers with HTTP {error.response.status_code}; try again") from error
        if "invalid_client" in error.response.text:
            raise InternalError(
                "Dropbox does not know the app of this deployment; its operator has to set it"
            ) from error
        raise BadCredentials(
            "Dropbox does not take this code: it works once and for some minutes; open the address again for a new one"
        ) from error
    except requests.RequestException as error:
        raise TransientError(f"Dropbox does not answer ({type(error).__name__}); try again") from error
    if not opened.refresh_token:
        raise BadCredentials(
            "this code lets us in for hours only; open the destination's own address for one that lasts"
        )
    return DropboxSecret(refresh_token=SecretStr(opened.refresh_token))


def app_key() -> str:
    """By which Dropbox knows us. Raises DeliveryRejected where this deployment has no app."""
    if not service().dropbox_key:
        raise DeliveryRejected("this deployment has no Dropbox app; its operator sets cutline:dropbox_key to offer it")
    return service().dropbox_key


def app_secret() -> str:
    """That goes with the key. Raises InternalError where the operator has not put it into Secrets Manager."""
    try:
        with translated():
            return plain_text(service().dropbox_secret_id).strip()
    except NotFound as error:
        raise InternalError(
            "the secret of this deployment's Dropbox app is missing; its operator has to set it"
        ) from error

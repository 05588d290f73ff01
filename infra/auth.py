"""Who may ask: a user pool with a login page, one client for people and one for machines."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.data import named
from infra.exceptions import accept
from infra.settings import Deployment

RESOURCE_SERVER, SCOPE = "cutline", "exports"
ADMINS = "admin"


class Auth(Construct):
    """Tokens of the scope `cutline/exports`, which only OAuth gives: code with PKCE, or client credentials."""

    def __init__(self, scope: Construct, settings: Deployment) -> None:
        super().__init__(scope, "Auth")
        self.pool = self._pool(settings)
        exports = cognito.ResourceServerScope(scope_name=SCOPE, scope_description="Make exports, and see one's own")
        server = self.pool.add_resource_server("Server", identifier=RESOURCE_SERVER, scopes=[exports])
        wanted = cognito.OAuthScope.resource_server(server, exports)
        self.scope = f"{RESOURCE_SERVER}/{SCOPE}"
        self.console = self.pool.add_client(
            "Console",
            generate_secret=False,  # a browser and a laptop keep none: they prove themselves by PKCE
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, wanted],
                callback_urls=list(settings.callback_urls),
            ),
            auth_flows=cognito.AuthFlow(),  # no passwords outside the login page
            access_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(30),
            enable_token_revocation=True,
            prevent_user_existence_errors=True,
        )
        self.machines = self.pool.add_client(
            "Machines",
            generate_secret=True,
            o_auth=cognito.OAuthSettings(flows=cognito.OAuthFlows(client_credentials=True), scopes=[wanted]),
            auth_flows=cognito.AuthFlow(),
            access_token_validity=Duration.hours(1),
            prevent_user_existence_errors=True,
        )
        self.pool.add_group("Admins", group_name=ADMINS, description="See and end the exports of everybody")
        # Names of login pages are unique in a region; accounts are too.
        stack = Stack.of(self)
        prefix = f"{stack.stack_name.lower()}-{stack.account}"
        self.pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=prefix),
            managed_login_version=cognito.ManagedLoginVersion.CLASSIC_HOSTED_UI,
        )
        # Written out: the local service reads it in the template, and has no such domain.
        self.login_url = f"https://{prefix}.auth.{stack.region}.amazoncognito.com"
        for construct, name in ((self.pool, "Users"), (self.console, "Console"), (self.machines, "Machines")):
            named(construct, name)

    def _pool(self, settings: Deployment) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "Users",
            self_sign_up_enabled=settings.self_signup,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            password_policy=cognito.PasswordPolicy(
                min_length=14,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(pool, "COG2", "a second factor is offered; whether it must be is for the operator's users to agree")
        accept(pool, "COG8", "threat protection is billed by the user; an operator switches it on in the console")
        return pool

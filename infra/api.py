"""The HTTP API: every route is answered by the function submit; only the description of the service is public."""

from __future__ import annotations

import json

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from aws_cdk import aws_xray as xray
from constructs import Construct

from cutline.settings import CROSS_ORIGIN
from infra.auth import Auth
from infra.data import named
from infra.exceptions import accept
from infra.functions import RETENTION
from infra.settings import Deployment

STAGE = "v1"
PUBLIC = ("health", "config", "openapi.json", "docs")
LINK = "l"
"""Below it are share links"""
ACCESS_LOG = json.dumps(
    {
        "time": "$context.requestTimeEpoch",
        "request": "$context.requestId",
        "by": "$context.authorizer.claims.sub",
        "from": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.resourcePath",  # as it is only the function's log has it, which leaves secrets of links out
        "status": "$context.status",
        "bytes": "$context.responseLength",
        "milliseconds": "$context.responseLatency",
        "error": "$context.error.message",
    }
)
REFUSALS = {
    # what API Gateway answers by itself: (status, code)
    "UNAUTHORIZED": (apigateway.ResponseType.UNAUTHORIZED, "401", "unauthenticated"),
    "EXPIRED": (apigateway.ResponseType.EXPIRED_TOKEN, "401", "unauthenticated"),
    "ACCESS_DENIED": (apigateway.ResponseType.ACCESS_DENIED, "403", "access-denied"),
    "MISSING_ROUTE": (apigateway.ResponseType.MISSING_AUTHENTICATION_TOKEN, "404", "not-found"),
    "FILTERED": (apigateway.ResponseType.WAF_FILTERED, "403", "access-denied"),
    "THROTTLED": (apigateway.ResponseType.THROTTLED, "429", "rate-limited"),
    "TOO_LARGE": (apigateway.ResponseType.REQUEST_TOO_LARGE, "413", "too-large"),
    "TIMEOUT": (apigateway.ResponseType.INTEGRATION_TIMEOUT, "504", "transient-error"),
    "FAILURE": (apigateway.ResponseType.INTEGRATION_FAILURE, "502", "internal-error"),
}
OTHERS = {
    # and what else may come to it, with a status and a text of its own
    "REFUSED": apigateway.ResponseType.DEFAULT_4_XX,
    "BROKEN": apigateway.ResponseType.DEFAULT_5_XX,
}
RETRY_SECONDS = 1
"""What the gateway throttles has room again so soon"""
PROBLEM = '{"type": "about:blank", "title": "%s", "status": %s, "code": "%s", "detail": $context.error.messageString}'


class Api(Construct):
    """A regional REST API with a Cognito authorizer."""

    def __init__(self, scope: Construct, settings: Deployment, pool: cognito.UserPool) -> None:
        super().__init__(scope, "Api")
        self._settings = settings
        self._access_log = logs.LogGroup(
            self, "AccessLog", retention=RETENTION[settings.log_days], removal_policy=RemovalPolicy.DESTROY
        )
        self.rest = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=f"{Stack.of(self).stack_name}",
            description="Cutline: exports of any area of imagery as one COG",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=[settings.console_origin],
                allow_methods=list(CROSS_ORIGIN.methods),
                allow_headers=list(CROSS_ORIGIN.headers),
                expose_headers=list(CROSS_ORIGIN.exposed),
                max_age=Duration.seconds(CROSS_ORIGIN.max_age),
            ),
            cloud_watch_role=True,  # an account without that role writes no logs of any API
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.requests_per_second,
                throttling_burst_limit=settings.burst,
                tracing_enabled=True,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,  # tokens would be in the log
                access_log_destination=apigateway.LogGroupLogDestination(self._access_log),
                access_log_format=apigateway.AccessLogFormat.custom(ACCESS_LOG),
            ),
        )
        named(self.rest, "Api")
        accept(self.rest, "APIG2", "submit checks every body and parameter by its models, and names the field (422)")
        accept(self.rest, "APIG3", "a firewall is the operator's choice and cost: cutline:web_acl")
        logging = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]"
        accept(self.rest, logging, "what API Gateway asks for, once an account, to write any log")
        # Written out: the stage waits for the functions, which are told this address.
        self.url = f"https://{self.rest.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}/{STAGE}"
        self._authorizer = apigateway.CognitoUserPoolsAuthorizer(self, "Authorizer", cognito_user_pools=[pool])

    def answer_with(self, function: lambda_.Function, auth: Auth) -> None:
        """Send every request to ``function``."""
        integration = apigateway.LambdaIntegration(function, allow_test_invoke=False)
        for path in PUBLIC:
            describes = "describes the service to who has no token yet; it tells nothing of anybody"
            self._open(self.rest.root.add_resource(path), "GET", integration, describes)
        link = self.rest.root.add_resource(LINK).add_resource("{token}")
        for verb in ("GET", "HEAD"):
            self._open(link, verb, integration, "a share link is for whoever has it: 192 random bits are the right")
        self._leave_links_out_of_traces()
        self.rest.root.add_resource("{proxy+}").add_method(
            "ANY",
            integration,
            authorizer=self._authorizer,
            authorization_type=apigateway.AuthorizationType.COGNITO,
            authorization_scopes=[auth.scope],  # without, identity tokens pass
        )
        self._refuse_in_our_words()
        if self._settings.web_acl:
            waf.CfnWebACLAssociation(
                self,
                "Firewall",
                resource_arn=self.rest.deployment_stage.stage_arn,
                web_acl_arn=self._settings.web_acl,
            )

    def _leave_links_out_of_traces(self) -> None:
        """A trace has the whole path, and who reads traces would have the right that a share link is."""
        xray.CfnSamplingRule(
            self,
            "UntracedLinks",
            sampling_rule=xray.CfnSamplingRule.SamplingRuleProperty(
                rule_name=f"{Stack.of(self).stack_name[:20]}-links",  # 32 letters at most
                version=1,
                priority=1,
                fixed_rate=0,
                reservoir_size=0,
                resource_arn=self.rest.deployment_stage.stage_arn,
                service_type="AWS::ApiGateway::Stage",
                service_name="*",
                host="*",
                http_method="*",
                url_path=f"*/{LINK}/*",
            ),
        )

    @staticmethod
    def _open(path: apigateway.Resource, verb: str, integration: apigateway.LambdaIntegration, why: str) -> None:
        """Without a token."""
        method = path.add_method(verb, integration, authorization_type=apigateway.AuthorizationType.NONE)
        for rule in ("APIG4", "COG4"):
            accept(method, rule, why)

    def _refuse_in_our_words(self) -> None:
        """What API Gateway answers by itself is a problem too, which a page of the console can read."""
        readable = {
            "Access-Control-Allow-Origin": f"'{self._settings.console_origin}'",
            "Access-Control-Expose-Headers": f"'{', '.join(CROSS_ORIGIN.exposed)}'",
            "Vary": "'Origin'",
        }
        for name, (kind, status, code) in REFUSALS.items():
            later = {"Retry-After": f"'{RETRY_SECONDS}'"} if name == "THROTTLED" else {}
            self.rest.add_gateway_response(
                name,
                type=kind,
                status_code=status,
                templates={"application/json": PROBLEM % (name.replace("_", " ").capitalize(), status, code)},
                response_headers={"Content-Type": "'application/problem+json'", **later, **readable},
            )
        for name, kind in OTHERS.items():
            self.rest.add_gateway_response(name, type=kind, response_headers=readable)

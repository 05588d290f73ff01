"""The whole service as one CloudFormation stack."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Aws, CfnOutput, Stack, Tags
from constructs import Construct

from infra.api import Api
from infra.assets import BUILT, Assets
from infra.auth import Auth
from infra.data import Data
from infra.events import Events
from infra.functions import Functions, room_of
from infra.grants import Grants
from infra.machine import Machine
from infra.observability import Observability
from infra.queues import WorkQueue
from infra.secrets import SecretsKey
from infra.settings import Deployment, deployment


class CutlineStack(Stack):
    """Made of one construct for each concern; each is told what it needs of those before it."""

    def __init__(self, scope: Construct, name: str, *, built: Path = BUILT) -> None:
        super().__init__(scope, name, description="Cutline: cuts areas out of imagery into one COG")
        settings = deployment(self.node.try_get_context)
        data, auth = Data(self, settings), Auth(self, settings)
        api = Api(self, settings, auth.pool)
        ready = WorkQueue(self, "Ready", handled_in=room_of("submit").timeout, receives=5)
        notices = WorkQueue(self, "Notify", handled_in=room_of("notify").timeout, receives=5)
        secrets = SecretsKey(self)
        environment = _environment(
            settings, data=data, auth=auth, api=api, ready=ready, notices=notices, secrets=secrets
        )
        functions = Functions(self, settings, Assets(self, settings, built), environment).by_name
        grants = Grants(
            self,
            settings,
            data=data,
            auth=auth,
            ready=ready,
            notices=notices,
            secrets=secrets,
            folders=tuple(functions),
        )
        for folder, function in functions.items():
            for grant in grants.of(folder):
                grant.give(function)
        machine = Machine(self, settings, data, functions).machine
        for folder in ("submit", "reconcile"):  # the machine waits for all others
            functions[folder].add_environment("CUTLINE_STATE_MACHINE", machine.state_machine_arn)
        api.answer_with(functions["submit"], auth)
        events = Events(self, data, machine, functions)
        ready.feed(functions["submit"], batch=1)
        notices.feed(functions["notify"], batch=1, at_once=20)  # a receiver that is slow holds up its own messages only
        Observability(
            self,
            settings,
            machine=machine,
            functions=functions,
            queues=(events.uploads, events.ends, events.access_logs, ready, notices),
            table=data.table,
            rest=api.rest,
        )
        Tags.of(self).add("application", "cutline")
        for output, value in {
            "Url": api.url,
            "Login": auth.login_url,
            "UserPool": auth.pool.user_pool_id,
            "ConsoleClient": auth.console.user_pool_client_id,
            "MachineClient": auth.machines.user_pool_client_id,
            "InboxBucket": data.inbox.bucket_name,
        }.items():
            CfnOutput(self, output, value=value)


def _environment(
    settings: Deployment,
    *,
    data: Data,
    auth: Auth,
    api: Api,
    ready: WorkQueue,
    notices: WorkQueue,
    secrets: SecretsKey,
) -> dict[str, str]:
    """What cutline.settings.service() reads, but for the state machine."""
    return {
        "CUTLINE_TABLE": data.table.table_name,
        "CUTLINE_WORK_BUCKET": data.work.bucket_name,
        "CUTLINE_EXPORTS_BUCKET": data.exports.bucket_name,
        "CUTLINE_INBOX_BUCKET": data.inbox.bucket_name,
        "CUTLINE_AUDIT_BUCKET": data.audit.bucket_name,
        "CUTLINE_READY_QUEUE": ready.queue.queue_url,
        "CUTLINE_NOTIFY_QUEUE": notices.queue.queue_url,
        "CUTLINE_SECRETS": secrets.prefix,
        "CUTLINE_SECRETS_KEY": secrets.alias,
        "CUTLINE_ACCOUNT": Aws.ACCOUNT_ID,
        "CUTLINE_USER_POOL": auth.pool.user_pool_id,
        "CUTLINE_CLIENT_ID": auth.console.user_pool_client_id,
        "CUTLINE_SENDER": settings.sender,
        "CUTLINE_URL": api.url,
        "CUTLINE_BASEMAP": settings.basemap,
        "CUTLINE_LOGIN_URL": auth.login_url,
        "CUTLINE_CONSOLE_ORIGIN": settings.console_origin,
        "CUTLINE_SOURCE_HOSTS": ",".join(settings.source_hosts),
        "CUTLINE_DROPBOX_KEY": settings.dropbox_key,
        "CUTLINE_DROPBOX_SECRET_ID": settings.dropbox_secret,
        "CUTLINE_DROPBOX_REDIRECT": settings.dropbox_redirect,
        "CUTLINE_LIMITS": settings.limits.model_dump_json(),
    }

"""What matters in the synthesised template, above all for security."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cutline.settings import ServiceSettings, service
from local.digest import COMMITTED, digest
from tests.infra.reading import FOLDERS, Resources, functions_of, listed, of_type, statements_of, text

ROOT = Path(__file__).parents[2]
HOUR = 3600


# The checkers ------------------------------------------------------------------------------------------------------


def test_cdk_nag_finds_nothing_and_every_exception_has_its_reason(synthesised: Path) -> None:
    (report,) = json.loads((synthesised / "validation-report.json").read_text())["pluginReports"]
    assert (report["pluginName"], report["conclusion"], report["violations"]) == ("AwsSolutions", "success", [])
    assert len(report["suppressedViolations"]) > 10
    for accepted in report["suppressedViolations"]:
        assert len(accepted["reason"].split()) > 4, accepted


def test_cfn_lint_finds_nothing(synthesised: Path) -> None:
    lint = str(Path(sys.executable).with_name("cfn-lint"))
    # W3005: the CDK names dependencies that are enforced already.
    options = ["--regions", "us-east-1", "eu-central-1", "--ignore-checks", "W3005"]
    command = [lint, "--template", str(synthesised / "Cutline.template.json"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stack_without_layers_is_not_deployed(synthesised: Path) -> None:
    """`cdk deploy` stops at an error in the metadata."""
    told = json.loads((synthesised / "Cutline.metadata.json").read_text())
    errors = [each["data"] for entries in told.values() for each in entries if each["type"] == "aws:cdk:error"]
    assert {error.split()[0] for error in errors} == {"code", "delivery", "gdal", "ogr"}
    assert all("make layers" in error for error in errors)


def test_the_deployment_knows_the_settings_of_the_library_and_nothing_else_of_it() -> None:
    sources = [path.read_text() for path in (ROOT / "infra").glob("*.py")]
    known = {name for source in sources for name in re.findall(r"^\s*(?:from|import) (cutline[\w.]*)", source, re.M)}
    assert known == {"cutline.settings"}


def test_another_deployment_is_made_by_settings_alone(synthesised: Path, tmp_path: Path) -> None:
    from infra.app import app
    from infra.settings import defaults

    other = {
        "architecture": "arm64", "render_concurrency": "0", "source_hosts": '["s3://pictures/2025/"]', "sender": "",
        "exports_days": 90, "memory": {"render_tile": 4096}, "alarm_email": "ops@example.org",
        "web_acl": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b",
    }  # fmt: skip
    app(defaults() | {f"cutline:{name}": value for name, value in other.items()}, tmp_path, tmp_path / "none").synth()
    resources = json.loads((tmp_path / "Cutline.template.json").read_text())["Resources"]
    render = functions_of(resources)["render_tile"]
    assert (render["Architectures"], render["MemorySize"]) == (["arm64"], 4096)
    assert "ReservedConcurrentExecutions" not in render
    expired = resources["Results"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {"ExpirationInDays": 90, "Status": "Enabled"} in expired
    allowed = json.dumps(list(statements_of(resources, text(render["Role"]).strip("<>").split(".")[0])))
    assert ":s3:::pictures/2025/*" in allowed
    assert "ses:SendEmail" not in json.dumps(resources)
    for kind in ("AWS::WAFv2::WebACLAssociation", "AWS::SNS::Subscription"):
        of_type(resources, kind)


# Functions and the state machine -----------------------------------------------------------------------------------


def test_each_folder_is_a_function_of_its_name(resources: Resources) -> None:
    functions = functions_of(resources)
    assert set(functions) == set(FOLDERS)
    for folder, function in functions.items():
        assert function["FunctionName"] == f"Cutline-{folder}"
        assert function["Handler"] == f"functions.{folder}.handler.handler"
        assert "".join(word.capitalize() for word in folder.split("_")) in resources
        assert len(function["Layers"]) == 1
        assert function["TracingConfig"] == {"Mode": "Active"}


def test_each_token_is_a_function_and_each_function_has_a_state_or_a_trigger(resources: Resources) -> None:
    (machine,) = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    substitutions = dict(machine["DefinitionSubstitutions"])
    assert substitutions.pop("table") == {"Ref": "Exports"}
    functions = functions_of(resources)
    arns = {folder: text({"Fn::GetAtt": [_id(folder), "Arn"]}) for folder in functions}
    assert {token: text(arn) for token, arn in substitutions.items()} == {token: arns[token] for token in substitutions}
    polled = {text(each["FunctionName"]) for each in of_type(resources, "AWS::Lambda::EventSourceMapping").values()}
    methods = of_type(resources, "AWS::ApiGateway::Method").values()
    asked = {text(each["Integration"]["Uri"]) for each in methods if each["Integration"]["Type"] != "MOCK"}
    triggered = {folder for folder in functions if f"<{_id(folder)}>" in polled or arns[folder] in "".join(asked)}
    assert set(substitutions) | triggered == set(functions)
    assert triggered == {"submit", "import_aoi", "reconcile", "meter", "notify"}


def test_no_token_is_left_in_the_definition(resources: Resources) -> None:
    (machine,) = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    definition = text(machine["DefinitionString"])
    for token in machine["DefinitionSubstitutions"]:
        definition = definition.replace(f"${{{token}}}", "")
    assert "${" not in definition
    assert json.loads(definition)["TimeoutSeconds"] == HOUR


def test_no_more_tiles_at_once_than_their_function_has_room_for(resources: Resources) -> None:
    (machine,) = of_type(resources, "AWS::StepFunctions::StateMachine").values()
    states = json.loads(text(machine["DefinitionString"]))["States"]
    assert (
        states["RenderTiles"]["MaxConcurrency"]
        <= functions_of(resources)["render_tile"]["ReservedConcurrentExecutions"]
    )


def test_functions_find_their_settings_and_no_others(resources: Resources) -> None:
    for folder, function in functions_of(resources).items():
        environment = {name: text(value) for name, value in function["Environment"]["Variables"].items()}
        ours = {name.removeprefix("CUTLINE_").lower() for name in environment if name.startswith("CUTLINE_")}
        assert ours <= set(ServiceSettings.model_fields), folder
        assert set(ServiceSettings.model_fields) - ours <= {"state_machine", "function_prefix"}, folder
        assert ("state_machine" in ours) == (folder in {"submit", "reconcile"})
        assert service(environment).source_hosts == ("*",)
        assert service(environment).url.startswith("https://")


def test_no_python_in_data(template: dict[str, Any]) -> None:
    """GDAL_VRT_ENABLE_PYTHON=YES runs code found in files; nothing else of GDAL's is set from outside either."""
    assert "VRT_ENABLE_PYTHON" not in json.dumps(template)
    for function in functions_of(template["Resources"]).values():
        names = set(function["Environment"]["Variables"])
        assert not {name for name in names if name.startswith(("GDAL_", "OGR_", "CPL_", "AWS_"))}


def _id(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_"))


# Where things are kept ---------------------------------------------------------------------------------------------


def test_no_bucket_is_public_and_none_is_spoken_to_in_the_clear(resources: Resources) -> None:
    buckets = of_type(resources, "AWS::S3::Bucket")
    assert set(buckets) == {"AccessLogs", "Inbox", "Work", "Results", "Audit"}
    policies = {
        text(each["Bucket"]).strip("<>"): each["PolicyDocument"]["Statement"]
        for each in of_type(resources, "AWS::S3::BucketPolicy").values()
    }
    for name, bucket in buckets.items():
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True, "BlockPublicPolicy": True, "IgnorePublicAcls": True, "RestrictPublicBuckets": True,
        }  # fmt: skip
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert bucket["BucketEncryption"]
        denied = [each["Condition"] for each in policies[name] if each["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied
        allowed = [each["Principal"] for each in policies[name] if each["Effect"] == "Allow"]
        assert all(set(principal) == {"Service"} for principal in allowed)
        assert resources[name]["DeletionPolicy"] == "Retain"


def test_who_counts_downloads_is_told_of_their_logs_alone(resources: Resources) -> None:
    logging = resources["Results"]["Properties"]["LoggingConfiguration"]
    assert text(logging["DestinationBucketName"]) == "<AccessLogs>"
    rules = of_type(resources, "AWS::Events::Rule").values()
    (told,) = [each for each in rules if "AccessLogQueue" in text(each["Targets"][0]["Arn"])]
    assert told["EventPattern"]["detail"] == {
        "bucket": {"name": [{"Ref": "AccessLogs"}]},
        "object": {"key": [{"prefix": logging["LogFilePrefix"]}]},
    }
    assert resources["AccessLogs"]["Properties"]["NotificationConfiguration"]["EventBridgeConfiguration"]
    role = text(functions_of(resources)["meter"]["Role"]).strip("<>").split(".")[0]
    read = [each for each in statements_of(resources, role) if "s3:GetObject" in listed(each["Action"])]
    assert [text(each["Resource"]) for each in read] == [f"<AccessLogs.Arn>/{logging['LogFilePrefix']}*"]


def test_no_log_of_the_gateway_has_the_secret_of_a_link(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
    assert "$context.path" not in stage["AccessLogSetting"]["Format"]
    assert "$context.resourcePath" in stage["AccessLogSetting"]["Format"]


def test_no_trace_has_the_secret_of_a_link(resources: Resources) -> None:
    """X-Ray keeps the whole path of what it samples."""
    ((_, rule),) = (
        (name, each["SamplingRule"]) for name, each in of_type(resources, "AWS::XRay::SamplingRule").items()
    )
    assert (rule["FixedRate"], rule["ReservoirSize"], rule["URLPath"]) == (0, 0, "*/l/*")
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage")
    assert f"/stages/<{stage}>" in text(rule["ResourceARN"])


def test_what_is_made_on_the_way_goes_and_what_is_archived_stays(resources: Resources) -> None:
    buckets = of_type(resources, "AWS::S3::Bucket")
    rules = {name: bucket["LifecycleConfiguration"]["Rules"] for name, bucket in buckets.items()}
    assert {"ExpirationInDays": 7, "Status": "Enabled"} in rules["Work"]
    for name in ("Inbox", "Work", "Results", "Audit"):
        aborted = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}, "Status": "Enabled"}
        assert aborted in rules[name]
    assert not any("ExpirationInDays" in rule for name in ("Inbox", "Results", "Audit") for rule in rules[name])
    assert buckets["Audit"]["ObjectLockEnabled"] is True
    lock = buckets["Audit"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert lock == {"Mode": "GOVERNANCE", "Days": 365}
    assert buckets["Inbox"]["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "BypassGovernanceRetention" not in json.dumps(resources)


def test_the_table_is_what_the_store_expects(resources: Resources) -> None:
    def key(partition: str, sort: str) -> list[dict[str, str]]:
        return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]

    (table,) = of_type(resources, "AWS::DynamoDB::Table").values()
    assert {index["IndexName"]: index["KeySchema"] for index in table["GlobalSecondaryIndexes"]} == {
        name: key(f"{name}pk", f"{name}sk") for name in ("gsi1", "gsi2")
    }
    assert table == table | {
        "KeySchema": key("pk", "sk"),
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": True,
    }


# Events and their keepers ------------------------------------------------------------------------------------------


def test_queues_wait_for_their_function_and_keep_what_nobody_handles(resources: Resources) -> None:
    queues, functions = of_type(resources, "AWS::SQS::Queue"), functions_of(resources)
    timeouts = {f"<{_id(folder)}>": function["Timeout"] for folder, function in functions.items()}
    polls = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    assert len(polls) == len(queues) / 2  # each queue is one function's, and has its dead letters
    for poll in polls:
        queue = queues[text(poll["EventSourceArn"]).strip("<>").split(".")[0]]
        assert queue["VisibilityTimeout"] >= 6 * timeouts[text(poll["FunctionName"])]
        assert text(queue["RedrivePolicy"]["deadLetterTargetArn"]).endswith("DeadLetters.Arn>")
        assert poll["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())


def test_the_end_of_every_execution_is_told(resources: Resources) -> None:
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [{"Ref": "Machine"}],
            "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    (rule,) = [each for each in of_type(resources, "AWS::Events::Rule").values() if each.get("EventPattern") == pattern]
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"]


def test_somebody_is_told_when_something_breaks(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert f"the {len(alarms)} alarms" in (ROOT / "docs" / "DEPLOY.md").read_text()
    assert all(each["AlarmActions"] for each in alarms.values())
    watched = {(each.get("Namespace"), each.get("MetricName")) for each in alarms.values()}
    assert watched >= {
        ("AWS/States", "ExecutionsFailed"),
        ("AWS/States", "ExecutionsTimedOut"),
        ("AWS/States", "ExecutionTime"),
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/ApiGateway", "5XXError"),
    }
    dead = {
        text(dimension["Value"])
        for each in alarms.values()
        for dimension in each.get("Dimensions", ())
        if dimension["Name"] == "QueueName"
    }
    assert dead == {f"<{name}DeadLetters.QueueName>" for name in ("Uploads", "Ends", "Ready", "AccessLog", "Notify")}
    of_type(resources, "AWS::CloudWatch::Dashboard")


def test_logs_are_not_kept_for_ever(resources: Resources) -> None:
    groups = of_type(resources, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    names = {text(group["LogGroupName"]) for group in groups.values() if "LogGroupName" in group}
    assert names >= {f"/aws/lambda/Cutline-{folder}" for folder in FOLDERS}


def test_the_local_service_has_the_same_resources(template: dict[str, Any]) -> None:
    committed = json.loads(COMMITTED.read_text())
    assert digest(template) == committed, "infra/ has changed what local/ runs by: make digest, and commit it"

"""What LocalStack asks of an execution environment, answered by a process.

LocalStack decides when an environment begins and ends, how many there are, which
invocation each gets and what becomes of its log; see its invocation/assignment.py.
"""

import os
import sys

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from tradewind_plugins.process import Config, Environment

# Where functions find the AWS API, if that is not LocalStack itself.
ENDPOINT_VARIABLE = "TRADEWIND_FUNCTION_ENDPOINT"


class Plugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self.environment: Environment | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        version = self.function_version
        self.environment = Environment(
            Config(
                folder=str(version.config.code.get_unzipped_code_location()),
                variables=variables(env_vars, version),
                timeout=float(version.config.timeout),
                memory=version.config.memory_size,
                version=version.id.qualifier,
            )
        )
        self.environment.start()

    def stop(self) -> None:
        if self.environment:
            self.environment.stop()

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        result = self.environment.invoke(
            request_id, payload["payload"].encode(), payload["invoked-function-arn"], payload["trace-id"]
        )
        sys.stdout.write(result.logs)  # into the endpoint's log, beside CloudWatch's
        return InvocationResult(request_id, result.payload, is_error=result.is_error, logs=result.logs)

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return ""  # the process is asked directly

    def get_logs(self) -> str:
        return ""  # they come with each result

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        code = function_version.config.code
        code.prepare_for_execution()
        bootstrap = code.get_unzipped_code_location() / "bootstrap"
        if bootstrap.exists():
            bootstrap.chmod(0o755)  # the mode in the archive is not kept

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        pass  # the code goes with its last version


def variables(given: dict[str, str], version: FunctionVersion) -> dict[str, str]:
    """The function's whole environment: what Lambda would give it and no more. Of this
    process's own it gets what a program cannot do without."""
    made = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }
    for name, value in given.items():
        if not name.startswith(("LOCALSTACK_", "EDGE_PORT", "_AWS_XRAY")):
            made[name] = str(value)
    made["LAMBDA_TASK_ROOT"] = str(version.config.code.get_unzipped_code_location())
    endpoint = os.environ.get(ENDPOINT_VARIABLE) or f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"
    made["AWS_ENDPOINT_URL"] = endpoint
    return made

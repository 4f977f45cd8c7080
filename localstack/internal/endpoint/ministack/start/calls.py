"""Writes down which function calls which operation of AWS.

Each function gets a session token with its name, which its requests bring back. The file
gets a line, "service/function operation", for each pair when it is seen first; what of a
request decides about permissions is a part of the operation: the index of a query and the
parts of a transaction.
"""

import importlib.abc
import importlib.util
import json
import os
import sys

SERVICES = {
    "AmazonSQS": "sqs",
    "AWSCognitoIdentityProviderService": "cognitoidentityprovider",
    "AWSEvents": "eventbridge",
    "DynamoDB_20120810": "dynamodb",
    "Route53AutoNaming_v20170314": "servicediscovery",
    "secretsmanager": "secretsmanager",
}
TOKEN = "function:"

_seen = set()


def _note(function, target, body):
    service, _, operation = target.partition(".")
    request = json.loads(body or b"{}")
    parts = sorted({part for item in request.get("TransactItems", []) for part in item})
    if "IndexName" in request:
        parts = [request["IndexName"]]
    for part in parts or [""]:
        call = f"{'/'.join(function.split('-')[-2:])} {SERVICES.get(service, service)}.{operation} {part}".rstrip()
        if call not in _seen:
            _seen.add(call)
            with open(os.environ["TRADEWIND_CALLS"], "a", encoding="utf-8") as file:
                file.write(call + "\n")


def _name_functions(module):
    environment = module._provided_worker_env

    def named(config, *rest):
        return {**environment(config, *rest), "AWS_SESSION_TOKEN": TOKEN + config["FunctionName"]}

    module._provided_worker_env = named


def _note_requests(module):
    read = module._read_request_body

    async def noted(receive, method, headers):
        body = await read(receive, method, headers)
        token = headers.get("x-amz-security-token", "")
        if token.startswith(TOKEN):
            _note(token.removeprefix(TOKEN), headers.get("x-amz-target", ""), body)
        return body

    module._read_request_body = noted


class _Finder(importlib.abc.MetaPathFinder):
    """Changes a module of the endpoint right after it is loaded."""

    changes = {"ministack.services.lambda_svc": _name_functions, "ministack.app": _note_requests}

    def find_spec(self, name, path, target=None):
        change = self.changes.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            change(module)

        spec.loader.exec_module = loaded
        return spec


sys.meta_path.insert(0, _Finder())

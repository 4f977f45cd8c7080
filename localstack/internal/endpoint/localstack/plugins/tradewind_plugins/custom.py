"""CloudFormation's custom resources: a function of the stack's own makes them.

The function gets an event that names an address, and puts its answer there:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
Here that is a server of one answer, on loopback as the function is.
"""

import json
import uuid

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

from tradewind_plugins.answer import Answer

PATIENCE = 60  # seconds, unless the resource says otherwise
ID = "PhysicalResourceId"


class CustomResource(CloudFormationResourceProviderPlugin):
    name = "AWS::CloudFormation::CustomResource"
    factory = None

    def load(self):
        self.factory = Provider


class Provider(ResourceProvider[dict]):
    SCHEMA = {"primaryIdentifier": [f"/properties/{ID}"], "properties": {}, "readOnlyProperties": []}

    def create(self, request: ResourceRequest[dict]) -> ProgressEvent[dict]:
        return self._ask(request, "Create")

    def update(self, request: ResourceRequest[dict]) -> ProgressEvent[dict]:
        return self._ask(request, "Update")

    def delete(self, request: ResourceRequest[dict]) -> ProgressEvent[dict]:
        return self._ask(request, "Delete")

    def _ask(self, request: ResourceRequest[dict], what: str) -> ProgressEvent[dict]:
        properties = dict(request.desired_state or request.previous_state or {})
        before = request.previous_state or {}
        with Answer() as answer:
            event = {
                "RequestType": what,
                "ResponseURL": answer.url,
                "StackId": request.stack_id,
                "RequestId": str(uuid.uuid4()),
                "ResourceType": request.resource_type,
                "LogicalResourceId": request.logical_resource_id,
                "ResourceProperties": properties,
            }
            if what != "Create":
                event[ID], event["OldResourceProperties"] = before.get(ID), before
            request.aws_client_factory.lambda_.invoke(
                FunctionName=properties["ServiceToken"], InvocationType="Event", Payload=json.dumps(event)
            )
            got = answer.wait(float(properties.get("ServiceTimeout") or PATIENCE))
        if got is None:
            got = {"Status": "FAILED", "Reason": "its function did not answer in time"}
        if got.get("Status") != "SUCCESS":
            return ProgressEvent(OperationStatus.FAILED, resource_model={}, message=f"custom resource: {got.get('Reason')}")
        model = {**properties, **(got.get("Data") or {}), ID: got.get(ID)}
        return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)

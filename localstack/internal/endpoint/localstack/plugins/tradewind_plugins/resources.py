"""Resource types that the templates use and LocalStack's open core does not have.

CloudFormation here calls such a resource created and makes nothing, which then breaks
whatever refers to it. The types below are made in one of three ways:

    lent     a stack of that one resource on a second endpoint, named by TRADEWIND_LENDER;
             its id and attributes there are what the stack here sees. Whoever calls the
             API of such a service must be sent to the same endpoint.
    played   an id and nothing else: the front (localstack/internal/endpoint/localstack/front) plays the
             gateway by reading the templates.
    own      by LocalStack's own API, which has what its CloudFormation lacks.

A type that is in none of them stays what it was, and localstack/suites/integration says so.
"""

import functools
import hashlib
import json
import os
import time

import boto3
from botocore.client import BaseClient
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

LENDER_VARIABLE = "TRADEWIND_LENDER"
PATIENCE = 30  # seconds, for a stack of one resource

Request = ResourceRequest[dict]
Event = ProgressEvent[dict]


class Made(ResourceProvider[dict]):
    """A resource type; ID is the property by which the resource is referred to."""

    TYPE: str
    ID: str
    SCHEMA: dict


class Lent(Made):
    ATTRIBUTES: tuple[str, ...] = ()  # what else can be asked of the resource

    def create(self, request: Request) -> Event:
        return self._put(request, "create_stack")

    def update(self, request: Request) -> Event:
        return self._put(request, "update_stack")

    def delete(self, request: Request) -> Event:
        _lender(request.region_name).delete_stack(StackName=_stack(request))
        return _done({})

    def _put(self, request: Request, action: str) -> Event:
        outputs = {self.ID: {"Value": {"Ref": "Lent"}}}
        for name in self.ATTRIBUTES:
            outputs[name] = {"Value": {"Fn::GetAtt": ["Lent", name]}}
        template = {"Resources": {"Lent": {"Type": self.TYPE, "Properties": request.desired_state}}, "Outputs": outputs}
        lender = _lender(request.region_name)
        getattr(lender, action)(StackName=_stack(request), TemplateBody=json.dumps(template))
        stack = _settled(lender, _stack(request))
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reason = stack.get("StackStatusReason") or stack["StackStatus"]
            return ProgressEvent(OperationStatus.FAILED, resource_model={}, message=f"{self.TYPE}, lent: {reason}")
        made = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
        return _done({**request.desired_state, **made})


class Played(Made):
    def create(self, request: Request) -> Event:
        digest = hashlib.sha256(f"{request.stack_name}/{request.logical_resource_id}".encode()).hexdigest()
        return _done({**request.desired_state, **self.identity(request, digest)})

    def update(self, request: Request) -> Event:
        return self.create(request)

    def delete(self, request: Request) -> Event:
        return _done({})

    def identity(self, request: Request, digest: str) -> dict:
        """The id and the attributes that templates ask for."""
        return {self.ID: digest[:10]}


class HostedZone(Made):
    def create(self, request: Request) -> Event:
        wanted = request.desired_state
        more = {}
        if vpcs := wanted.get("VPCs"):
            more["VPC"] = {"VPCRegion": vpcs[0]["VPCRegion"], "VPCId": vpcs[0]["VPCId"]}
        zone = request.aws_client_factory.route53.create_hosted_zone(
            Name=wanted["Name"], CallerReference=request.request_token, **more
        )["HostedZone"]
        return _done({**wanted, self.ID: zone["Id"].removeprefix("/hostedzone/")})

    def update(self, request: Request) -> Event:
        return _done({**request.desired_state, self.ID: request.previous_state[self.ID]})

    def delete(self, request: Request) -> Event:
        request.aws_client_factory.route53.delete_hosted_zone(Id=request.previous_state[self.ID])
        return _done({})


def _done(model: dict) -> Event:
    return ProgressEvent(OperationStatus.SUCCESS, resource_model=model)


@functools.cache
def _lender(region: str) -> BaseClient:
    return boto3.client(
        "cloudformation", endpoint_url=os.environ[LENDER_VARIABLE], region_name=region,
        aws_access_key_id="test", aws_secret_access_key="test",
    )


def _stack(request: Request) -> str:
    return f"{request.stack_name}-{request.logical_resource_id}"


def _settled(lender: BaseClient, name: str) -> dict:
    late = time.monotonic() + PATIENCE
    while True:
        stack = lender.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS") or time.monotonic() > late:
            return stack
        time.sleep(0.02)


def _plugin(way: type[Made], resource_type: str, id: str, *attributes: str) -> type[CloudFormationResourceProviderPlugin]:
    schema = {"primaryIdentifier": [f"/properties/{id}"], "properties": {}, "readOnlyProperties": []}
    provider = type(way.__name__, (way,), {"TYPE": resource_type, "ID": id, "SCHEMA": schema, "ATTRIBUTES": attributes})

    class Plugin(CloudFormationResourceProviderPlugin):
        name = resource_type
        factory = None

        def load(self):
            self.factory = provider

    return Plugin


UserPool = _plugin(Lent, "AWS::Cognito::UserPool", "UserPoolId", "Arn")
UserPoolClient = _plugin(Lent, "AWS::Cognito::UserPoolClient", "ClientId")
UserPoolGroup = _plugin(Lent, "AWS::Cognito::UserPoolGroup", "GroupName")
Namespace = _plugin(Lent, "AWS::ServiceDiscovery::HttpNamespace", "Id", "Arn")
DiscoveryService = _plugin(Lent, "AWS::ServiceDiscovery::Service", "Id", "Arn")
DiscoveryInstance = _plugin(Lent, "AWS::ServiceDiscovery::Instance", "InstanceId")

LoadBalancer = _plugin(
    Lent, "AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerArn", "LoadBalancerName", "DNSName", "CanonicalHostedZoneID"
)
Listener = _plugin(Lent, "AWS::ElasticLoadBalancingV2::Listener", "ListenerArn")
ListenerRule = _plugin(Lent, "AWS::ElasticLoadBalancingV2::ListenerRule", "RuleArn")
TargetGroup = _plugin(Lent, "AWS::ElasticLoadBalancingV2::TargetGroup", "TargetGroupArn")

Api = _plugin(Played, "AWS::ApiGatewayV2::Api", "ApiId")
Authorizer = _plugin(Played, "AWS::ApiGatewayV2::Authorizer", "AuthorizerId")
Integration = _plugin(Played, "AWS::ApiGatewayV2::Integration", "IntegrationId")
Route = _plugin(Played, "AWS::ApiGatewayV2::Route", "RouteId")
Stage = _plugin(Played, "AWS::ApiGatewayV2::Stage", "StageName")
Zone = _plugin(HostedZone, "AWS::Route53::HostedZone", "Id")

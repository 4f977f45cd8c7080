"""What LocalStack does by itself and is not wanted here, each with its reason.

A patch that no longer finds its place fails the start, so that none is forgotten when
LocalStack changes.
"""

import botocore.session
from localstack import config
from localstack.runtime import hooks
from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor
from localstack.services.lambda_.event_source_mapping.pollers.dynamodb_poller import DynamoDBPoller
from localstack.services.lambda_.invocation import version_manager
from twisted.internet import endpoints

HOST = "127.0.0.1"
PAUSE = 0.1  # seconds


@hooks.on_infra_start()
def tradewind_patches():
    listen_on_loopback()
    look_more_often()
    count_nothing()
    ask_streams_at_once()


def listen_on_loopback() -> None:
    """Its gateway leaves out the address it is told to listen on."""
    everywhere = endpoints.TCP4ServerEndpoint

    def here(reactor, port):
        return everywhere(reactor, port, interface=HOST)

    endpoints.TCP4ServerEndpoint = here


def look_more_often() -> None:
    """Between two looks at a resource that is being made it waits for seconds."""
    loop = ResourceProviderExecutor.deploy_loop
    limit, _ = loop.__defaults__
    loop.__defaults__ = (limit, PAUSE)


def count_nothing() -> None:
    """A metric for each invocation costs as much as the invocation."""
    for name in ("record_cw_metric_invocation", "record_cw_metric_error"):
        getattr(version_manager, name)
        setattr(version_manager, name, lambda **_: None)


def ask_streams_at_once() -> None:
    """Every mapping asks its stream five times a second whether there is news. By way of
    LocalStack's own API this was most of what an idle endpoint did."""
    begin = DynamoDBPoller.__init__

    def begin_at_the_database(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        self.source_client = Streams(self.source_arn)

    DynamoDBPoller.__init__ = begin_at_the_database


class Streams:
    """What a poller calls of a client, by the database's name of the stream: its region
    is always the same there, and the account is the key the request is signed with."""

    def __init__(self, arn: str) -> None:
        _, _, _, region, account, _ = arn.split(":", 5)
        self._names = (f":{region}:{account}:", ":ddblocal:000000000000:")
        self._client = botocore.session.get_session().create_client(
            "dynamodbstreams",
            region_name=region,
            endpoint_url=f"http://{HOST}:{config.DYNAMODB_LOCAL_PORT}",
            aws_access_key_id=f"{account}{region}".replace("-", ""),
            aws_secret_access_key="none",
        )
        self.exceptions = self._client.exceptions

    def describe_stream(self, StreamArn: str, **more):
        return self._client.describe_stream(StreamArn=StreamArn.replace(*self._names), **more)

    def get_shard_iterator(self, StreamArn: str, **more):
        return self._client.get_shard_iterator(StreamArn=StreamArn.replace(*self._names), **more)

    def get_records(self, **what):
        return self._client.get_records(**what)

"""What LocalStack does by itself and is not wanted here, each with its reason.

A patch that no longer finds its place fails the start, so that none is forgotten when
LocalStack changes.
"""

from localstack.runtime import hooks
from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor
from localstack.services.lambda_.invocation import version_manager
from twisted.internet import endpoints

HOST = "127.0.0.1"
PAUSE = 0.1  # seconds


@hooks.on_infra_start()
def tradewind_patches():
    listen_on_loopback()
    look_more_often()
    count_nothing()


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

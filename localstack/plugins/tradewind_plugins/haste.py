"""Where LocalStack waits, or works for nobody, on a machine of two cores.

Each change is of one thing it does by itself and nothing here looks at. One that no
longer finds its place fails the start, so that none is forgotten.
"""

from localstack.runtime import hooks
from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor
from localstack.services.lambda_.invocation import version_manager

PAUSE = 0.1  # seconds between two looks at a resource that is being made; it takes 1 or 5


@hooks.on_infra_start()
def tradewind_haste():
    loop = ResourceProviderExecutor.deploy_loop
    limit, _ = loop.__defaults__
    loop.__defaults__ = (limit, PAUSE)
    # A metric for each invocation costs as much as the invocation.
    for name in ("record_cw_metric_invocation", "record_cw_metric_error"):
        getattr(version_manager, name)
        setattr(version_manager, name, lambda **_: None)

"""What makes LocalStack's open core run this platform, without Docker.

LocalStack finds the plugins by the metadata in the folder beside this one, when the
parent of both is in PYTHONPATH; nothing is installed.

    executor   runs functions as processes of this machine: its core knows containers
               only, and leaves the way open to others
    process    one execution environment: the Runtime API and the function's process
    resources  types that CloudFormation here would call created and not make
    custom     custom resources, which a function of the stack makes
    patches    what it does by itself and is not wanted
    dynamodb   starts the database; not a plugin, but called in Java's place
"""

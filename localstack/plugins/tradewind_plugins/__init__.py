"""Runs Lambda functions for LocalStack as processes of this machine, without Docker.

LocalStack's open core knows one way to run a function, a container, and leaves the
way open to others: a plugin of the group localstack.lambda.runtime_executor. This is
one. It is found by the metadata in the folder beside this one when that folder's
parent is in PYTHONPATH; nothing is installed.

    process   one execution environment: the Runtime API and the function's process.
              Standard library only.
    executor  what LocalStack asks of an environment, answered by a process.

Functions get a clean environment: what the function's configuration says and what
Lambda would add, nothing of LocalStack's own.
"""

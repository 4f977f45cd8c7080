"""A function for tests: it does what its event says."""

import http.client
import json
import os
import subprocess
import sys
import time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
PREFIX = "/2018-06-01/runtime/"


def post(path, body, **how):
    api.request("POST", PREFIX + path, body=body, **how)
    answer = api.getresponse()
    return answer.status, answer.read()


print("hello from", os.getpid(), flush=True)
match os.environ.get("START"):
    case "exit":
        sys.exit(7)
    case "error":
        post("init/error", '{"errorType":"Boom","errorMessage":"no configuration"}')
        sys.exit(1)
    case "hang":
        time.sleep(60)

while True:
    api.request("GET", PREFIX + "invocation/next")
    got = api.getresponse()
    event = json.loads(got.read())
    at = "invocation/" + got.getheader("Lambda-Runtime-Aws-Request-Id")
    what = event.get("do", "answer")
    if what == "answer":
        headers = {k.lower(): v for k, v in got.getheaders()}
        post(at + "/response", json.dumps({"pid": os.getpid(), "headers": headers, "env": dict(os.environ), "in": os.getcwd()}))
    elif what == "say":
        print(event["text"], flush=True)
        post(at + "/response", "{}")
    elif what == "fail":
        post(at + "/error", '{"errorType":"Boom","errorMessage":"on purpose"}')
    elif what == "sleep":
        time.sleep(event["seconds"])
        post(at + "/response", "{}")
    elif what == "exit":
        sys.exit(event["code"])
    elif what == "large":
        status, _ = post(at + "/response", json.dumps("x" * event["size"]))
        print("told", status, flush=True)
    elif what == "chunks":
        post(at + "/response", iter([b'"one ', b'two"']), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    elif what == "child":
        subprocess.Popen(["sleep", "60"])
        post(at + "/response", "{}")
        sys.exit(0)

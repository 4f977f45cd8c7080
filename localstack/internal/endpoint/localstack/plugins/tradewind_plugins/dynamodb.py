"""Starts DynamoDB Local, in the place of the Java that LocalStack would call.

LocalStack starts an archive that names its own libraries, with an agent it downloads.
What comes from Maven is a folder of archives, and needs no agent. And the database
listens on all interfaces, with no setting for it: so it is started from here, inside
a Java of this process, where its one connector can be told better before it opens.

    python -m tradewind_plugins.dynamodb [options of Java] -jar ARCHIVE [options of the database]
"""

import os
import sys

import jpype

JARS_VARIABLE = "DYNAMODB_JARS"  # the folder
JVM_VARIABLE = "DYNAMODB_JVM"  # the Java library, libjvm.so
HOST = "127.0.0.1"

# No file in the system's temporary folder, and a quick start rather than a fast run.
OPTIONS = ["-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """The options of Java, without the agent, and those of the database."""
    at = words.index("-jar")
    java = [w for w in words[:at] if not w.startswith("-javaagent:")]
    return java, words[at + 2 :]


def main(words: list[str]) -> None:
    java, database = split(words)
    jars = os.environ[JARS_VARIABLE]
    archives = [os.path.join(jars, name) for name in sorted(os.listdir(jars)) if name.endswith(".jar")]
    temporary = "-Djava.io.tmpdir=" + os.environ["TMPDIR"]
    jpype.startJVM(os.environ[JVM_VARIABLE], *OPTIONS, temporary, *java, classpath=archives)
    runner = jpype.JClass("software.amazon.dynamodb.services.local.main.ServerRunner")
    server = runner.createServerFromCommandLineArgs([*database, "-disableTelemetry"])
    field = server.getClass().getDeclaredField("server")
    field.setAccessible(True)
    for connector in field.get(server).getConnectors():
        connector.setHost(HOST)
    server.start()
    try:
        server.join()
    except jpype.JException:
        pass  # it is being stopped


if __name__ == "__main__":
    main(sys.argv[1:])

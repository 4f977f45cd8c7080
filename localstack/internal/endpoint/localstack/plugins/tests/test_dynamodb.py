import sys
import types
import unittest

sys.modules.setdefault("jpype", types.ModuleType("jpype"))  # LocalStack's, and not needed here

from tradewind_plugins.dynamodb import split  # noqa: E402


class SplitTest(unittest.TestCase):
    def test_the_agent_and_the_archive_are_left_out(self):
        words = ["-Xmx256m", "-javaagent:/x/agent.jar", "-Djava.library.path=/x", "-jar", "/x/D.jar", "-port", "1", "-inMemory"]
        self.assertEqual(split(words), (["-Xmx256m", "-Djava.library.path=/x"], ["-port", "1", "-inMemory"]))


if __name__ == "__main__":
    unittest.main()

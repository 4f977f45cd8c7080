import unittest
import urllib.error
import urllib.request

from tradewind_plugins.answer import Answer


def put(url: str, body: bytes) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT")) as response:
        return response.status


class AnswerTest(unittest.TestCase):
    def test_a_document_comes(self):
        with Answer() as answer:
            with self.assertRaises(urllib.error.HTTPError):
                put(answer.url, b"nothing")
            self.assertEqual(put(answer.url, b'{"Status": "SUCCESS"}'), 200)
            self.assertEqual(answer.wait(5), {"Status": "SUCCESS"})
        with self.assertRaises(urllib.error.URLError):
            put(answer.url, b"{}")

    def test_none_comes(self):
        with Answer() as answer:
            self.assertIsNone(answer.wait(0.05))


if __name__ == "__main__":
    unittest.main()

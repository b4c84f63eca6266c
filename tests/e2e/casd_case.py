"""A folder for one zako-casd, and clients of it, for tests."""
import pathlib
import tempfile
import unittest

import grpc

import casd_rig
import rig
from zako_wire import Client


class CasdTest(unittest.TestCase):
    config = {}

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-casd-")).resolve()
        self.addCleanup(rig.remove_tree, self.folder)

    def start(self, config=None, **options):
        server = casd_rig.Casd(self.folder / "casd", {**self.config, **(config or {})}, **options)
        self.addCleanup(server.kill)
        return server.start()

    def connect(self, server, **options):
        client = Client(server.address(), **options)
        self.addCleanup(client.close)
        return client

    def assertFails(self, code, call, text=None):
        with self.assertRaises(grpc.RpcError) as caught:
            result = call()
            for _ in result if hasattr(result, "__iter__") and not isinstance(result, bytes) else ():
                pass
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        if text is not None:
            self.assertIn(text, caught.exception.details())
        self.assertNotIn(str(self.folder), caught.exception.details())  # no path of the server
        return caught.exception

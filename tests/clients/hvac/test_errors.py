"""What is refused, and how hvac tells it."""

from hvac import exceptions

import vault


class Errors(vault.VaultTestCase):
    def test_strangers_are_refused(self):
        self.mount("errors-kv", 1)
        unknown = vault.client("hvs.not-a-token")
        self.assertFalse(unknown.is_authenticated())
        with self.assertRaises(exceptions.Forbidden):
            unknown.auth.token.lookup_self()
        with self.assertRaisesRegex(exceptions.Forbidden, "permission denied"):
            unknown.secrets.kv.v1.read_secret("x", mount_point="errors-kv")
        with self.assertRaises(exceptions.Forbidden):
            vault.client().secrets.kv.v1.read_secret("x", mount_point="errors-kv")

    def test_what_is_not_there_is_missing(self):
        self.assertIsNone(self.root.read("nowhere/a"))
        with self.assertRaises(exceptions.InvalidPath):
            self.root.write_data("nowhere/a", data={"b": "c"})

    def test_a_secret_that_is_no_object_is_refused(self):
        self.mount("errors-shape", 2)
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.write_data("errors-shape/data/a", data={"data": "text"})

"""The cubbyhole, each token's own secrets, through hvac's general verbs."""

import vault


class Cubbyhole(vault.VaultTestCase):
    def test_each_token_has_a_cubbyhole_of_its_own(self):
        self.root.write_data("cubbyhole/mine/a", data={"b": "c"})
        self.assertEqual(self.root.read("cubbyhole/mine/a")["data"], {"b": "c"})
        self.assertEqual(self.root.list("cubbyhole/mine")["data"]["keys"], ["a"])
        token = self.root.auth.token.create(policies=["default"], ttl="1h")["auth"]["client_token"]
        self.assertIsNone(vault.client(token).read("cubbyhole/mine/a"))
        self.root.delete("cubbyhole/mine/a")
        self.assertIsNone(self.root.read("cubbyhole/mine/a"))

"""Response wrapping through hvac."""

from hvac import exceptions

import vault


class Wrapping(vault.VaultTestCase):
    def test_a_reply_is_wrapped_and_given_once(self):
        wrapped = self.root.sys.wrap(payload={"a": "b"}, ttl=60)
        token = wrapped["wrap_info"]["token"]
        self.assertEqual(wrapped["wrap_info"]["ttl"], 60)
        given = vault.client(self.root.token).sys.unwrap(token=token)
        self.assertEqual(given["data"], {"a": "b"})
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.sys.unwrap(token=token)

    def test_a_token_is_handed_over_wrapped(self):
        made = self.root.auth.token.create(policies=["default"], wrap_ttl="2m")
        self.assertIsNone(made["auth"])
        given = vault.client(made["wrap_info"]["token"]).sys.unwrap()
        self.assertTrue(vault.client(given["auth"]["client_token"]).is_authenticated())

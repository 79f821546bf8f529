"""Policies through hvac."""

import json

from hvac import exceptions

import vault


class Policies(vault.VaultTestCase):
    RULES = 'path "policy-kv/mine/*" { capabilities = ["create", "read"] }'

    def test_a_policy_is_written_read_listed_and_deleted(self):
        system = self.root.sys
        system.create_or_update_policy("team", self.RULES)
        self.assertIn("team", system.list_policies()["data"]["policies"])
        self.assertLessEqual({"default", "root"}, set(system.list_policies()["data"]["policies"]))
        self.assertEqual(system.read_policy("team")["data"]["rules"], self.RULES)
        self.assertEqual(system.read_acl_policy("team")["data"]["policy"], self.RULES)
        self.assertIn("team", system.list_acl_policies()["data"]["keys"])
        system.delete_policy("team")
        with self.assertRaises(exceptions.InvalidPath):
            system.read_policy("team")
        self.assertNotIn("team", system.list_policies()["data"]["policies"])

    def test_a_policy_can_be_json(self):
        rules = {"path": {"policy-kv/*": {"capabilities": ["read"]}}}
        self.root.sys.create_or_update_acl_policy("as-json", rules)
        self.addCleanup(self.root.sys.delete_acl_policy, "as-json")
        self.assertEqual(json.loads(self.root.sys.read_acl_policy("as-json")["data"]["policy"]), rules)

    def test_a_policy_that_does_not_parse_is_refused(self):
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.sys.create_or_update_policy("broken", 'path "x" { capabilities = ["fly"] }')
        with self.assertRaises(exceptions.InvalidPath):
            self.root.sys.read_policy("broken")

    def test_a_token_does_what_its_policies_allow_and_no_more(self):
        self.mount("policy-kv", 1)
        self.policy("narrow", self.RULES)
        token = self.root.auth.token.create(policies=["narrow"], ttl="1h")["auth"]["client_token"]
        application = vault.client(token)
        kv = application.secrets.kv.v1
        kv.create_or_update_secret("mine/a", {"b": "c"}, method="POST", mount_point="policy-kv")
        self.assertEqual(kv.read_secret("mine/a", mount_point="policy-kv")["data"], {"b": "c"})
        for forbidden in [
            lambda: kv.create_or_update_secret("mine/a", {"b": "d"}, method="POST", mount_point="policy-kv"),
            lambda: kv.create_or_update_secret("other/a", {"b": "d"}, method="POST", mount_point="policy-kv"),
            lambda: kv.read_secret("other/a", mount_point="policy-kv"),
            lambda: kv.list_secrets("mine", mount_point="policy-kv"),
            lambda: kv.delete_secret("mine/a", mount_point="policy-kv"),
            lambda: application.sys.list_policies(),
        ]:
            with self.assertRaises(exceptions.Forbidden):
                forbidden()
        capabilities = application.sys.get_capabilities(["policy-kv/mine/a", "policy-kv/other"])["data"]
        self.assertEqual(capabilities["policy-kv/mine/a"], ["create", "read"])
        self.assertEqual(capabilities["policy-kv/other"], ["deny"])

        self.root.sys.create_or_update_policy("narrow", 'path "policy-kv/*" { capabilities = ["deny"] }')
        with self.assertRaises(exceptions.Forbidden):
            kv.read_secret("mine/a", mount_point="policy-kv")

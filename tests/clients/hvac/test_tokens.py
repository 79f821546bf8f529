"""The token auth method through hvac."""

from hvac import exceptions

import vault

READ_OWN = 'path "tokens-kv/*" { capabilities = ["read"] }'


class Tokens(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.policy("reader", READ_OWN)
        self.tokens = self.root.auth.token

    def create(self, **options):
        return self.tokens.create(**{"policies": ["reader"], "ttl": "1h", **options})["auth"]

    def assert_dead(self, token):
        with self.assertRaises(exceptions.Forbidden):
            vault.client(token).auth.token.lookup_self()

    def test_a_token_is_what_was_asked_for(self):
        auth = self.create(display_name="build", meta={"team": "operations"}, num_uses=5, explicit_max_ttl="2h")
        self.assertEqual(auth["policies"], ["default", "reader"])
        self.assertEqual(auth["lease_duration"], 3600)
        self.assertTrue(auth["renewable"])
        self.assertFalse(auth["orphan"])
        self.assertEqual(auth["metadata"], {"team": "operations"})
        data = self.tokens.lookup(auth["client_token"])["data"]
        self.assertEqual(data["display_name"], "token-build")
        self.assertEqual(data["meta"], {"team": "operations"})
        self.assertEqual(data["num_uses"], 5)
        self.assertEqual(data["explicit_max_ttl"], 7200)
        self.assertEqual(data["accessor"], auth["accessor"])
        self.assertEqual(data["path"], "auth/token/create")
        self.assertEqual(data["type"], "service")

    def test_a_token_can_do_without_the_default_policy(self):
        auth = self.create(no_default_policy=True)
        self.assertEqual(auth["policies"], ["reader"])

    def test_a_token_without_end_is_root_only(self):
        data = self.root.auth.token.lookup_self()["data"]
        self.assertEqual(data["policies"], ["root"])
        self.assertEqual(data["ttl"], 0)
        self.assertIsNone(data["expire_time"])

    def test_uses_are_counted(self):
        token = self.create(num_uses=2)["client_token"]
        limited = vault.client(token)
        limited.auth.token.lookup_self()
        limited.auth.token.lookup_self()
        self.assert_dead(token)

    def test_a_child_never_has_more_than_its_parent(self):
        self.policy("maker", 'path "auth/token/create" { capabilities = ["update"] }')
        maker = vault.client(self.create(policies=["maker"])["client_token"])
        child = maker.auth.token.create(policies=["maker"], ttl="10m")["auth"]
        self.assertEqual(child["policies"], ["default", "maker"])
        with self.assertRaises(exceptions.InvalidRequest):
            maker.auth.token.create(policies=["reader"])
        with self.assertRaises(exceptions.InvalidRequest):
            maker.auth.token.create(policies=["root"])

    def test_children_die_with_their_parent_and_orphans_do_not(self):
        self.policy("maker", 'path "auth/token/create*" { capabilities = ["update", "sudo"] }')
        parent = vault.client(self.create(policies=["maker"])["client_token"])
        child = parent.auth.token.create(policies=["maker"])["auth"]["client_token"]
        orphan = parent.auth.token.create_orphan(policies=["maker"])["auth"]
        self.assertTrue(orphan["orphan"])
        self.tokens.revoke(parent.token)
        self.assert_dead(parent.token)
        self.assert_dead(child)
        self.assertTrue(vault.client(orphan["client_token"]).auth.token.lookup_self()["data"]["orphan"])

    def test_children_can_be_spared(self):
        self.policy("maker", 'path "auth/token/create" { capabilities = ["update"] }')
        parent = vault.client(self.create(policies=["maker"])["client_token"])
        child = parent.auth.token.create(policies=["maker"])["auth"]["client_token"]
        self.tokens.revoke_and_orphan_children(parent.token)
        self.assert_dead(parent.token)
        self.assertTrue(vault.client(child).auth.token.lookup_self()["data"]["orphan"])

    def test_root_makes_orphans_with_no_parent(self):
        self.assertTrue(self.create(no_parent=True)["orphan"])

    def test_tokens_are_renewed(self):
        auth = self.create(ttl="10m")
        token = auth["client_token"]
        self.assertEqual(self.tokens.renew(token, increment="30m")["auth"]["lease_duration"], 1800)
        renewed = vault.client(token).auth.token.renew_self(increment="40m")["auth"]
        self.assertEqual(renewed["lease_duration"], 2400)
        self.assertEqual(renewed["client_token"], token)
        renewed = self.tokens.renew_accessor(auth["accessor"], increment="50m")["auth"]
        self.assertEqual(renewed["lease_duration"], 3000)
        self.assertGreater(self.tokens.lookup(token)["data"]["ttl"], 2400)

    def test_a_token_that_is_not_renewable_is_not_renewed(self):
        auth = self.create(renewable=False)
        self.assertFalse(auth["renewable"])
        with self.assertRaises(exceptions.InvalidRequest):
            self.tokens.renew(auth["client_token"])

    def test_the_explicit_end_is_not_passed_by_renewal(self):
        token = self.create(ttl="10m", explicit_max_ttl="20m")["client_token"]
        renewed = self.tokens.renew(token, increment="2h")["auth"]
        self.assertLessEqual(renewed["lease_duration"], 1200)

    def test_a_periodic_token_gets_its_period(self):
        auth = self.create(period="45m")
        self.assertEqual(auth["lease_duration"], 2700)
        self.assertEqual(self.tokens.lookup(auth["client_token"])["data"]["period"], 2700)
        self.assertEqual(self.tokens.renew(auth["client_token"])["auth"]["lease_duration"], 2700)

    def test_an_accessor_names_a_token_without_its_power(self):
        auth = self.create()
        self.assertIn(auth["accessor"], self.tokens.list_accessors()["data"]["keys"])
        data = self.tokens.lookup_accessor(auth["accessor"])["data"]
        self.assertEqual(data["accessor"], auth["accessor"])
        self.assertEqual(data["id"], "")
        self.tokens.revoke_accessor(auth["accessor"])
        self.assert_dead(auth["client_token"])
        self.assertNotIn(auth["accessor"], self.tokens.list_accessors()["data"]["keys"])
        with self.assertRaises(exceptions.VaultError):
            self.tokens.lookup_accessor(auth["accessor"])

    def test_a_token_gives_itself_up(self):
        token = self.create()["client_token"]
        vault.client(token).auth.token.revoke_self()
        self.assert_dead(token)

    def test_roles_shape_tokens(self):
        self.tokens.create_or_update_role(
            "deploy", allowed_policies=["reader"], orphan=True, renewable=False, path_suffix="ci"
        )
        self.assertEqual(self.tokens.list_roles()["data"]["keys"], ["deploy"])
        role = self.tokens.read_role("deploy")["data"]
        self.assertEqual(role["allowed_policies"], ["reader"])
        self.assertTrue(role["orphan"])
        self.assertFalse(role["renewable"])

        auth = self.tokens.create(role_name="deploy", policies=["reader"], ttl="1h")["auth"]
        self.assertTrue(auth["orphan"])
        self.assertFalse(auth["renewable"])
        self.assertIn("reader", auth["policies"])
        data = self.tokens.lookup(auth["client_token"])["data"]
        self.assertEqual(data["role"], "deploy")
        self.assertEqual(data["path"], "auth/token/create/deploy/ci")
        with self.assertRaises(exceptions.InvalidRequest):
            self.tokens.create(role_name="deploy", policies=["other"])

        self.tokens.delete_role("deploy")
        with self.assertRaises(exceptions.InvalidPath):
            self.tokens.read_role("deploy")
        with self.assertRaises(exceptions.VaultError):
            self.tokens.create(role_name="deploy")

    def test_a_batch_token_is_neither_renewed_nor_revoked(self):
        auth = self.tokens.create(policies=["default"], type="batch", ttl="10m")["auth"]
        self.assertEqual((auth["token_type"], auth["accessor"], auth["renewable"]), ("batch", "", False))
        own = vault.client(auth["client_token"])
        data = own.auth.token.lookup_self()["data"]
        self.assertEqual((data["type"], data["policies"]), ("batch", ["default"]))
        with self.assertRaises(exceptions.InvalidRequest):
            own.auth.token.renew_self()
        with self.assertRaises(exceptions.InvalidRequest):
            own.auth.token.revoke_self()

    def test_an_application_logs_in_for_a_batch_token(self):
        self.root.sys.enable_auth_method("approle", path="batches")
        self.addCleanup(self.root.sys.disable_auth_method, "batches")
        roles = self.root.auth.approle
        roles.create_or_update_approle("ci", token_type="batch", token_ttl="10m", mount_point="batches")
        role_id = roles.read_role_id("ci", mount_point="batches")["data"]["role_id"]
        secret_id = roles.generate_secret_id("ci", mount_point="batches")["data"]["secret_id"]
        auth = vault.client().auth.approle.login(role_id, secret_id, mount_point="batches")["auth"]
        self.assertEqual((auth["token_type"], auth["accessor"]), ("batch", ""))
        self.assertEqual(vault.client(auth["client_token"]).auth.token.lookup_self()["data"]["type"], "batch")

"""The auth methods userpass and approle through hvac."""

from hvac import exceptions

import vault

OWN = 'path "logins-kv/*" { capabilities = ["create", "read", "update"] }'


class LoginTestCase(vault.VaultTestCase):
    kind = None

    def setUp(self):
        super().setUp()
        self.policy("logins", OWN)
        self.mount("logins-kv", 1)
        self.root.sys.enable_auth_method(self.kind)
        self.addCleanup(self.root.sys.disable_auth_method, self.kind)

    def assert_works(self, auth):
        self.assertEqual(auth["policies"], ["default", "logins"])
        own = vault.client(auth["client_token"])
        own.secrets.kv.v1.create_or_update_secret("a", {"b": "c"}, mount_point="logins-kv")
        own.auth.token.renew_self()


class Userpass(LoginTestCase):
    kind = "userpass"

    def test_a_person_logs_in(self):
        users = self.root.auth.userpass
        users.create_or_update_user("anna", password="one", policies="logins")
        self.assertEqual(users.list_user()["data"]["keys"], ["anna"])
        self.assertEqual(users.read_user("anna")["data"]["token_policies"], ["logins"])
        stranger = vault.client()
        auth = stranger.auth.userpass.login("anna", "one")["auth"]
        self.assertEqual(auth["metadata"], {"username": "anna"})
        self.assert_works(auth)
        users.update_password_on_user("anna", "two")
        with self.assertRaisesRegex(exceptions.InvalidRequest, "invalid username or password"):
            vault.client().auth.userpass.login("anna", "one")
        vault.client().auth.userpass.login("anna", "two")
        users.delete_user("anna")
        with self.assertRaisesRegex(exceptions.InvalidRequest, "invalid username or password"):
            vault.client().auth.userpass.login("anna", "two")


class AppRole(LoginTestCase):
    kind = "approle"

    def setUp(self):
        super().setUp()
        self.roles = self.root.auth.approle
        self.roles.create_or_update_approle("ci", token_policies=["logins"], token_ttl="10m", secret_id_num_uses=2)
        self.role_id = self.roles.read_role_id("ci")["data"]["role_id"]

    def login(self, secret_id):
        return vault.client().auth.approle.login(self.role_id, secret_id)["auth"]

    def test_a_machine_logs_in(self):
        self.assertEqual(self.roles.list_roles()["data"]["keys"], ["ci"])
        self.assertEqual(self.roles.read_role("ci")["data"]["token_ttl"], 600)
        made = self.roles.generate_secret_id("ci", metadata={"build": "7"})["data"]
        auth = self.login(made["secret_id"])
        self.assertEqual(auth["metadata"], {"build": "7", "role_name": "ci"})
        self.assert_works(auth)
        self.login(made["secret_id"])
        with self.assertRaisesRegex(exceptions.InvalidRequest, "invalid role or secret ID"):
            self.login(made["secret_id"])

    def test_secret_ids_are_looked_up_and_destroyed(self):
        made = self.roles.generate_secret_id("ci")["data"]
        accessor = made["secret_id_accessor"]
        self.assertEqual(self.roles.list_secret_id_accessors("ci")["data"]["keys"], [accessor])
        seen = self.roles.read_secret_id("ci", made["secret_id"])["data"]
        self.assertEqual(seen, self.roles.read_secret_id_accessor("ci", accessor)["data"])
        self.assertEqual(seen["secret_id_num_uses"], 2)
        self.roles.destroy_secret_id("ci", made["secret_id"])
        with self.assertRaises(exceptions.InvalidPath):
            self.roles.read_secret_id_accessor("ci", accessor)
        self.roles.create_custom_secret_id("ci", "of-our-own")
        self.login("of-our-own")
        (accessor,) = self.roles.list_secret_id_accessors("ci")["data"]["keys"]
        self.roles.destroy_secret_id_accessor("ci", accessor)
        with self.assertRaises(exceptions.InvalidRequest):
            self.login("of-our-own")

    def test_a_secret_id_is_handed_over_wrapped(self):
        wrapped = self.roles.generate_secret_id("ci", wrap_ttl="60s")["wrap_info"]["token"]
        given = vault.client(wrapped).sys.unwrap()["data"]
        self.assert_works(self.login(given["secret_id"]))

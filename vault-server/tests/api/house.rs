//! A vault in bootstrap with people, a group of leads, and a rule over their secrets.

use serde_json::{Value, json};

use crate::support::TestVault;

pub(crate) const AGREE: &str = "path \"sys/control-group/*\" { capabilities = [\"create\", \"update\"] }\n\
                     path \"auth/token/create\" { capabilities = [\"update\"] }\n";

/// A vault with ann, ben, cat and dan, of whom ben and cat are leads, and a rule over `secret/data/prod/*`.
pub(crate) struct House {
    pub(crate) vault: TestVault,
}

impl House {
    pub(crate) async fn new(control_group: &str) -> Self {
        Self::furnish(TestVault::ready().await, control_group).await
    }

    pub(crate) async fn furnish(vault: TestVault, control_group: &str) -> Self {
        vault.expect(204, "POST", "sys/auth/userpass", Some(json!({"type": "userpass"}))).await;
        for name in ["ann", "ben", "cat", "dan"] {
            let user = json!({"password": name, "token_policies": "staff"});
            vault.expect(204, "POST", &format!("auth/userpass/users/{name}"), Some(user)).await;
        }
        let house = Self { vault };
        let (ben, cat) = (house.entity("ben").await, house.entity("cat").await);
        house.group("leads", &[&ben, &cat]).await;
        let policy = |path: &str, rest: &str| {
            format!(
                "{AGREE}path \"{path}\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"]\n{rest} }}"
            )
        };
        let text = policy("secret/data/prod/*", &format!("control_group = {{ {control_group} }}"));
        house.vault.expect(204, "PUT", "sys/policies/acl/staff", Some(json!({ "policy": text }))).await;
        house.vault.expect(200, "POST", "secret/data/prod/root", Some(json!({"data": {"password": "old"}}))).await;
        house
    }

    pub(crate) async fn group(&self, name: &str, members: &[&str]) {
        let body = json!({"name": name, "member_entity_ids": members});
        let (status, answer) =
            self.vault.call("POST", "identity/group", &self.vault.root, Some(&body.to_string())).await;
        assert!(status.is_success(), "{answer}");
    }

    pub(crate) async fn login(&self, name: &str) -> String {
        let answer = self
            .vault
            .expect(200, "POST", &format!("auth/userpass/login/{name}"), Some(json!({"password": name})))
            .await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn entity(&self, name: &str) -> String {
        let token = self.login(name).await;
        let seen = self.vault.expect_as(&token, 200, "GET", "auth/token/lookup-self", None).await;
        seen["data"]["entity_id"].as_str().unwrap().to_owned()
    }

    /// Asks for something that is held back, and gives wrapping token and accessor.
    pub(crate) async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> (String, String) {
        let held = self.vault.expect_as(token, 200, method, path, body).await;
        let wrap = &held["wrap_info"];
        assert_eq!(held["data"], Value::Null, "{held}");
        let text = |name: &str| wrap[name].as_str().unwrap_or_else(|| panic!("{held}")).to_owned();
        (text("token"), text("accessor"))
    }

    pub(crate) async fn authorize(&self, token: &str, status: u16, accessor: &str) -> Value {
        let body = Some(json!({ "accessor": accessor }));
        self.vault.expect_as(token, status, "POST", "sys/control-group/authorize", body).await
    }

    pub(crate) async fn unwrap(&self, token: &str, status: u16, wrapping: &str) -> Value {
        self.vault.expect_as(token, status, "POST", "sys/wrapping/unwrap", Some(json!({ "token": wrapping }))).await
    }

    pub(crate) async fn held(&self, token: &str, id: &str) -> Value {
        self.vault.expect_as(token, 200, "GET", &format!("sys/requests/{id}"), None).await["data"].clone()
    }
}

pub(crate) fn error(answer: &Value) -> String {
    answer["errors"].to_string()
}

pub(crate) const TWO: &str = "factor \"leads\" { identity { group_names = [\"leads\"] approvals = 2 } }";
pub(crate) const ONE: &str = "factor \"leads\" { identity { group_names = [\"leads\"] approvals = 1 } }";

//! System endpoints over HTTP: what is described is what is served, and what is not here says so.

use serde_json::{Value, json};

use crate::support::TestVault;

#[tokio::test]
async fn everything_described_is_served() {
    let vault = TestVault::ready().await;
    let (status, document) = vault.call("GET", "sys/internal/specs/openapi", &vault.root, None).await;
    assert_eq!((status.as_u16(), &document["openapi"]), (200, &json!("3.0.2")));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 80, "{}", paths.len());
    for known in ["/sys/unseal", "/secret/data/{path}", "/kv/{path}", "/auth/token/create", "/sys/leases/lookup"] {
        assert!(paths.contains_key(known), "{known}");
    }
    assert_eq!(paths["/sys/seal"]["post"]["x-vault-sudo"], json!(true));
    for (path, methods) in paths {
        let path = path.trim_start_matches('/').replace(['{', '}'], "");
        // Sealing would end the test; a snapshot's answer is no JSON.
        if path == "sys/seal" || path.starts_with("sys/storage/raft/snapshot") {
            continue;
        }
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "delete") {
            let listed = !methods[method]["parameters"].as_array().into_iter().flatten().all(|p| p["name"] != "list");
            let query = if listed { "?list=true" } else { "" };
            let (status, value) =
                vault.call(&method.to_uppercase(), &format!("{path}{query}"), &vault.root, Some("{}")).await;
            let text = value.to_string();
            assert!(!matches!(status.as_u16(), 405 | 500), "{method} {path}: {status} {text}");
            assert!(!text.contains("unsupported path"), "{method} {path}: {status} {text}");
        }
    }
}

#[tokio::test]
async fn the_description_shows_only_what_the_caller_can_reach() {
    let vault = TestVault::ready().await;
    let rules = "path \"sys/internal/specs/openapi\" { capabilities = [\"read\"] }\npath \"kv/a\" { capabilities = [\"read\"] }";
    let token = vault.token_with("narrow", rules).await;
    let document = vault.expect_as(&token, 200, "GET", "sys/internal/specs/openapi", None).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/kv/{path}") && !paths.keys().any(|path| path.starts_with("/secret/")));
    vault.expect_as("", 403, "GET", "sys/internal/specs/openapi", None).await;
}

#[tokio::test]
async fn a_mount_moves_with_its_data() {
    let vault = TestVault::ready().await;
    vault.expect(204, "PUT", "kv/a/b", Some(json!({"x": "1"}))).await;
    let moved = vault.expect(200, "POST", "sys/remount", Some(json!({"from": "kv", "to": "team/kv"}))).await;
    let id = moved["migration_id"].as_str().unwrap();
    let status = vault.expect(200, "GET", &format!("sys/remount/status/{id}"), None).await;
    assert_eq!(status["data"]["migration_info"]["status"], json!("success"));
    vault.expect(404, "GET", "kv/a/b", None).await;
    assert_eq!(vault.expect(200, "GET", "team/kv/a/b", None).await["data"]["x"], json!("1"));
    for (from, to) in
        [("nowhere", "x"), ("secret", "team/kv"), ("secret", "sys/x"), ("sys", "x"), ("secret", "auth/x"), ("", "x")]
    {
        vault.expect(400, "POST", "sys/remount", Some(json!({ "from": from, "to": to }))).await;
    }
}

#[tokio::test]
async fn tools_hash_and_draw() {
    let vault = TestVault::ready().await;
    let sum = vault.expect(200, "POST", "sys/tools/hash/sha2-256", Some(json!({"input": "YWJj"}))).await;
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sum["data"]["sum"], json!(abc));
    for bad in [
        json!({}),
        json!({"input": "*"}),
        json!({"input": "YQ==", "algorithm": "md5"}),
        json!({"input": "YQ==", "format": "x"}),
    ] {
        vault.expect(400, "POST", "sys/tools/hash", Some(bad)).await;
    }
    let drawn = |value: &Value| value["data"]["random_bytes"].as_str().unwrap().to_owned();
    let one = vault.expect(200, "POST", "sys/tools/random/8", Some(json!({"format": "hex"}))).await;
    let other = vault.expect(200, "POST", "sys/tools/random", Some(json!({"bytes": 8, "format": "hex"}))).await;
    assert_eq!((drawn(&one).len(), drawn(&other).len()), (16, 16));
    assert_ne!(drawn(&one), drawn(&other));
    for bad in ["0", "131073", "-1", "hsm"] {
        vault.expect(400, "POST", &format!("sys/tools/random/{bad}"), None).await;
    }
}

#[tokio::test]
async fn passwords_are_made_by_policies() {
    let vault = TestVault::ready().await;
    let path = "sys/policies/password/strong";
    vault.expect(404, "LIST", "sys/policies/password", None).await;
    vault.expect(404, "GET", &format!("{path}/generate"), None).await;
    let text = "length = 30\nrule \"charset\" { charset = \"abc\" min-chars = 3 }\nrule \"charset\" { charset = \"0123456789\" }";
    for bad in
        [json!({}), json!({"policy": ""}), json!({"policy": "length = 30"}), json!({"policy": "bGVuZ3RoID0gMzA="})]
    {
        vault.expect(400, "POST", path, Some(bad)).await;
    }
    vault.expect(204, "POST", path, Some(json!({ "policy": text }))).await;
    let in_base64 = json!({ "policy": data_encoding::BASE64.encode(text.as_bytes()) });
    vault.expect(204, "PUT", "sys/policies/password/other", Some(in_base64)).await;
    let listed = vault.expect(200, "LIST", "sys/policies/password", None).await;
    assert_eq!(listed["data"]["keys"], json!(["other", "strong"]));
    assert_eq!(vault.expect(200, "GET", "sys/policies/password/other", None).await["data"]["policy"], json!(text));

    let made = |answer: &Value| answer["data"]["password"].as_str().unwrap().to_owned();
    let one = made(&vault.expect(200, "GET", &format!("{path}/generate"), None).await);
    let other = made(&vault.expect(200, "GET", &format!("{path}/generate"), None).await);
    assert_ne!(one, other);
    assert!(one.len() == 30 && one.chars().filter(|c| "abc".contains(*c)).count() >= 3, "{one}");

    vault.expect(204, "DELETE", path, None).await;
    vault.expect(404, "GET", path, None).await;
}

#[tokio::test]
async fn what_is_not_here_is_refused_with_the_reason() {
    let vault = TestVault::ready().await;
    for (method, path) in [
        ("GET", "sys/raw/logical"),
        ("GET", "sys/pprof/heap"),
        ("GET", "sys/monitor"),
        ("POST", "sys/namespaces/team"),
        ("POST", "sys/config/cors"),
        ("POST", "sys/config/auditing/request-headers/x"),
        ("POST", "sys/plugins/catalog/auth/x"),
        ("POST", "sys/mfa/method/totp/x"),
        ("POST", "sys/loggers"),
    ] {
        let refused = vault.expect(400, method, path, Some(json!({}))).await;
        assert!(refused["errors"][0].as_str().unwrap().len() > 30, "{path}: {refused}");
    }
    let host = vault.expect(200, "GET", "sys/host-info", None).await;
    assert!(host["data"]["cpu"]["count"].as_u64().unwrap() >= 1);
    let tokens = vault.expect(200, "GET", "sys/internal/counters/tokens", None).await;
    assert_eq!(tokens["data"]["counters"]["service_tokens"]["total"], json!(1));
    let plugins = vault.expect(200, "GET", "sys/plugins/catalog", None).await;
    assert!(plugins["data"]["secret"].as_array().unwrap().contains(&json!("kv")));
    vault.expect(200, "GET", "sys/plugins/catalog/secret/kv", None).await;
    vault.expect(404, "GET", "sys/plugins/catalog/secret/other", None).await;
}

//! Metrics, alert rules and dashboard hold together: a running server is scraped, `promtool` reads what it tells and the rules,
//! Prometheus itself evaluates them, and every metric that anybody names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::debian::{self, Service, encode, until};
use tests::https::Connection;
use tests::server::{Home, Server};
use tests::vault::{initialise, unseal};

/// What `Accept` says of somebody who understands OpenMetrics.
const OPEN_METRICS: (&str, &str) = ("Accept", "application/openmetrics-text; version=1.0.0");

/// What Grafana puts into expressions, and what stands for it here.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "5m"), ("$__interval", "1m"), ("$instance", ".*")];

fn document(name: &str) -> PathBuf {
    tests::tree::root().join("docs").join(name)
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(document(name)).with_context(|| format!("docs/{name}"))
}

fn promtool(arguments: &[&str], input: &str) -> Result<String> {
    let folder = document("monitoring");
    debian::run(Command::new(debian::program("promtool")?).args(arguments).current_dir(folder), input)
}

/// A vault in service of metrics: a server, and a token that may read them and nothing else.
fn scraped_server() -> Result<(Server, Connection, String)> {
    let server = Server::start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 3, 2)?;
    unseal(&mut connection, &keys)?;
    connection.authorise(&keys.root_token);
    let policy = json!({"policy": "path \"sys/metrics\" { capabilities = [\"read\"] }"});
    connection.post("sys/policies/acl/metrics", &policy)?.expect_status(204)?;
    let token = json!({"policies": ["metrics"], "no_default_policy": true, "period": "72h", "no_parent": true});
    let token = connection.post("auth/token/create", &token)?.expect_status(200)?.text("/auth/client_token")?;
    connection.authorise(&token);
    Ok((server, connection, token))
}

/// The names and types in a text of the classic format.
fn types(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    lines.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// The names of the series in a text.
fn series(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

fn value(text: &str, series: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {series}"))?.parse()?)
}

/// The names of our metrics in an expression.
fn metrics_in(expression: &str) -> Vec<&str> {
    let words = expression.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("keyturn_")).collect()
}

/// Every expression of the dashboard, those of its variables included.
fn dashboard_expressions(dashboard: &Value) -> Vec<String> {
    match dashboard {
        Value::Object(fields) => {
            let own = fields.iter().filter(|(name, _)| matches!(name.as_str(), "expr" | "definition"));
            let own: Vec<_> = own.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect();
            own.into_iter().chain(fields.values().flat_map(dashboard_expressions)).collect()
        }
        Value::Array(items) => items.iter().flat_map(dashboard_expressions).collect(),
        _ => Vec::new(),
    }
}

/// The expressions and names of the alert rules, as Prometheus itself has read them.
fn rules(prometheus: &Service) -> Result<Vec<Value>> {
    let answer = prometheus.get("/api/v1/rules")?;
    let groups = answer.pointer("/data/groups").and_then(Value::as_array).context("no groups")?;
    let rules = groups.iter().filter_map(|group| group.get("rules")?.as_array());
    Ok(rules.flatten().cloned().collect())
}

#[test]
fn rules_are_valid_and_each_is_tested() -> Result<()> {
    promtool(&["check", "rules", "alerts.yaml"], "")?;
    promtool(&["test", "rules", "alerts_test.yaml"], "")?;
    let (rules, tested) = (read("monitoring/alerts.yaml")?, read("monitoring/alerts_test.yaml")?);
    let names: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    ensure!(names.len() > 10, "{names:?}");
    for name in names {
        let fires = tested.contains(&format!("alertname=\"{name}\", alertstate=\"firing\""))
            || tested.contains(&format!("alertname: {name}\n        exp_alerts:\n          - exp_labels"));
        ensure!(fires, "no test sees {name} fire");
    }
    Ok(())
}

#[test]
fn what_is_told_is_documented_and_well_formed() -> Result<()> {
    let (_server, mut connection, _) = scraped_server()?;
    let classic = connection.text("sys/metrics?format=prometheus", &[])?;
    promtool(&["check", "metrics"], &classic)?;
    let open = connection.text("sys/metrics?format=prometheus", &[OPEN_METRICS])?;
    ensure!(open.ends_with("# EOF\n") && !classic.contains("# EOF"), "{open}");
    ensure!(series(&open) == series(&classic), "the two formats tell different series");

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    ensure!(value(&classic, "keyturn_tls_certificate_expiry_time_seconds")? > now);
    ensure!(value(&classic, "keyturn_start_time_seconds")? <= now);
    for name in ["unsealed", "storage_size_bytes", "audit_log_size_bytes", "process_resident_memory_bytes"] {
        ensure!(value(&classic, &format!("keyturn_{name}"))? > 0.0, "{name}");
    }
    let told = types(&classic);
    let document = read("metrics.md")?;
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let documented: BTreeMap<String, String> = cells
        .map(|(name, rest)| {
            let kind = rest.split(" |").next().unwrap_or_default();
            match kind {
                "counter" => (format!("{name}_total"), "counter".to_owned()),
                "info" => (format!("{name}_info"), "gauge".to_owned()),
                _ => (name.to_owned(), kind.to_owned()),
            }
        })
        .collect();
    ensure!(told == documented, "told and documented differ:\n{told:#?}\n{documented:#?}");
    Ok(())
}

#[test]
fn a_sealed_vault_is_scraped_where_the_settings_let_anybody() -> Result<()> {
    let home = Home::new()?;
    let settings = std::fs::read_to_string(home.path("keyturn.toml"))?;
    let setting = "[listener]\nunauthenticated_metrics_access = true\n";
    std::fs::write(home.path("keyturn.toml"), settings.replace("[listener]\n", setting))?;
    let server = home.start()?;
    let mut connection = server.connect()?;
    let keys = initialise(&mut connection, 3, 2)?;
    let first = json!({"key": keys.shares.first()});
    connection.call("PUT", "sys/unseal", Some(&first))?.expect_status(200)?;
    let sealed = connection.text("sys/metrics?format=prometheus", &[])?;
    promtool(&["check", "metrics"], &sealed)?;
    let seen = |text: &str| -> Result<[f64; 3]> {
        let names = ["unsealed", "unseal_shares_received", "unseal_shares_needed"];
        let [unsealed, received, needed] = names.map(|name| value(text, &format!("keyturn_{name}")));
        Ok([unsealed?, received?, needed?])
    };
    ensure!(seen(&sealed)? == [0.0, 1.0, 2.0], "{sealed}");
    let second = json!({"key": keys.shares.get(1)});
    connection.call("PUT", "sys/unseal", Some(&second))?.expect_status(200)?;
    let open = connection.text("sys/metrics?format=prometheus", &[])?;
    ensure!(seen(&open)? == [1.0, 0.0, 2.0], "{open}");
    Ok(())
}

#[test]
fn prometheus_scrapes_over_tls_and_every_expression_speaks_of_what_there_is() -> Result<()> {
    let (server, mut connection, token) = scraped_server()?;
    let prometheus = start_prometheus(&server, &token)?;
    let up = until("a scrape", || {
        let answer = prometheus.get("/api/v1/query?query=up")?;
        let up = answer.pointer("/data/result/0/value/1").and_then(Value::as_str).map(str::to_owned);
        Ok(up.filter(|up| up == "1").map(|_| answer))
    })?;
    let instance = up.pointer("/data/result/0/metric/instance").and_then(Value::as_str);
    ensure!(instance == Some(&server.address().to_string()), "{up}");

    let told = connection.text("sys/metrics?format=prometheus", &[])?;
    let there = series(&told);
    let rules = until("an evaluation of every rule", || {
        let rules = rules(&prometheus)?;
        let is_done = |rule: &Value| rule.get("lastEvaluation").and_then(Value::as_str) > Some("1");
        Ok(Some(rules).filter(|rules| rules.iter().all(is_done)))
    })?;
    ensure!(rules.len() > 10, "{rules:?}");
    let mut expressions = Vec::new();
    for rule in &rules {
        ensure!(rule.get("health") == Some(&json!("ok")) && rule.get("lastError").is_none(), "{rule}");
        expressions.extend(rule.get("query").and_then(Value::as_str).map(str::to_owned));
    }
    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana.json")?)?;
    expressions.extend(dashboard_expressions(&dashboard));
    let named: BTreeSet<_> = expressions.iter().flat_map(|expression| metrics_in(expression)).collect();
    ensure!(named.len() > 25, "{named:?}");
    ensure!(expressions.len() > 40, "only {} expressions were found", expressions.len());
    for expression in &expressions {
        for name in metrics_in(expression) {
            ensure!(there.contains(name), "{name} of {expression} is not told");
        }
        if !expression.starts_with("label_values(") {
            let put = |text: String, (name, value): &(&str, &str)| text.replace(name, value);
            let filled = VARIABLES.iter().fold(expression.clone(), put);
            let answer = prometheus.get(&format!("/api/v1/query?query={}", encode(&filled)))?;
            ensure!(answer.get("status") == Some(&json!("success")), "{filled}: {answer}");
        }
    }
    check_panels(&dashboard)
}

/// Starts Prometheus with our rules over one server, as docs/metrics.md says.
fn start_prometheus(server: &Server, token: &str) -> Result<Service> {
    let home: &Home = server.home();
    let (settings, token_file) = (home.path("prometheus.yml"), home.path("metrics-token"));
    std::fs::write(&token_file, token)?;
    let text = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{:?}]\nscrape_configs:\n  - job_name: keyturn\n    \
         metrics_path: /v1/sys/metrics\n    params: {{ format: [prometheus] }}\n    scheme: https\n    tls_config: {{ ca_file: {:?} }}\n    \
         authorization: {{ credentials_file: {token_file:?} }}\n    static_configs: [{{ targets: [{:?}] }}]\n",
        document("monitoring/alerts.yaml"),
        server.authority_file(),
        server.address().to_string(),
    );
    std::fs::write(&settings, text)?;
    let address = debian::free_address()?;
    let mut command = Command::new(debian::program("prometheus")?);
    command.arg(format!("--config.file={}", settings.display())).arg(format!("--web.listen-address={address}"));
    command.arg(format!("--storage.tsdb.path={}", home.path("prometheus").display()));
    // Its pages are files of the package, which are not where it looks for them.
    Service::start(command.current_dir(home.path("")), address, &home.path("prometheus.log"))?.until_ready("/-/ready")
}

/// Checks what Grafana needs of each panel: a title, a place of its own, a unit, and the data source that is chosen.
fn check_panels(dashboard: &Value) -> Result<()> {
    let panels = dashboard.get("panels").and_then(Value::as_array).context("no panels")?;
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        ensure!(ids.insert(panel.get("id").and_then(Value::as_u64)), "two panels have one id: {panel}");
        ensure!(panel.get("title").and_then(Value::as_str).is_some_and(|title| !title.is_empty()), "{panel}");
        let side = |name: &str| panel.pointer(&format!("/gridPos/{name}")).and_then(Value::as_u64).context("no place");
        for (x, y) in (side("x")?..side("x")? + side("w")?).flat_map(|x| (0..30).map(move |y| (x, y))) {
            if y < side("h")? {
                ensure!(x < 24 && taken.insert((x, side("y")? + y)), "panels lie over each other: {panel}");
            }
        }
        if panel.get("type") != Some(&json!("row")) {
            ensure!(panel.pointer("/fieldConfig/defaults/unit").is_some_and(Value::is_string), "no unit: {panel}");
            ensure!(panel.pointer("/datasource/uid") == Some(&json!("${datasource}")), "{panel}");
        }
    }
    Ok(())
}

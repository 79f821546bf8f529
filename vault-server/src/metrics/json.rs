//! Metrics in the form in which Vault's API answers them: gauges, counters and samples with their labels.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use vault_core::time::Timestamp;

/// Turns our own exposition into Vault's form. It is read line by line, since the registry gives nothing else.
pub(super) fn of(exposition: &str, now: Timestamp) -> Value {
    let mut kinds = BTreeMap::new();
    let (mut gauges, mut counters, mut samples) = (Vec::new(), Vec::new(), BTreeMap::new());
    for line in exposition.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            kinds.insert(name, kind);
        }
        let Some(Sample { name, labels, value }) = Sample::parse(line) else { continue };
        let base = |suffix: &str| name.strip_suffix(suffix).unwrap_or(name);
        if kinds.get(name) == Some(&"gauge") || kinds.get(base("_info")) == Some(&"info") {
            gauges.push(json!({ "Name": name, "Value": value, "Labels": labels }));
        } else if kinds.get(base("_total")) == Some(&"counter") {
            counters.push(json!({ "Name": base("_total"), "Count": value, "Sum": value, "Labels": labels }));
        } else if let Some((name, part)) = name.rsplit_once('_').filter(|(_, part)| matches!(*part, "sum" | "count")) {
            let key = (name.to_owned(), labels.to_string());
            let sample = samples.entry(key).or_insert_with(|| json!({ "Name": name, "Labels": labels }));
            if let Some(fields) = sample.as_object_mut() {
                fields.insert(if part == "sum" { "Sum" } else { "Count" }.to_owned(), value);
            }
        }
    }
    json!({
        "Timestamp": now.to_string(),
        "Gauges": gauges,
        "Points": [],
        "Counters": counters,
        "Samples": samples.into_values().map(with_mean).collect::<Vec<_>>(),
    })
}

fn with_mean(mut sample: Value) -> Value {
    let number = |name: &str| sample.get(name).and_then(Value::as_f64).unwrap_or_default();
    let (sum, count) = (number("Sum"), number("Count"));
    if let Some(fields) = sample.as_object_mut() {
        fields.insert("Mean".to_owned(), json!(if count > 0.0 { sum / count } else { 0.0 }));
    }
    sample
}

struct Sample<'a> {
    name: &'a str,
    labels: Value,
    value: Value,
}

impl<'a> Sample<'a> {
    /// Reads `name{label="value",..} 1`; no label of ours needs an escape.
    fn parse(line: &'a str) -> Option<Self> {
        let (series, number) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels: Map<String, Value> = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| label.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('"').into()))
            .collect();
        let whole = number.parse::<u64>().map(Value::from);
        let value = whole.or_else(|_| number.parse::<f64>().map(Value::from)).ok()?;
        Some(Self { name, labels: labels.into(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_counters_and_samples_are_told_apart() {
        let text = "# HELP a_x A.\n# TYPE a_x gauge\na_x 3\n# TYPE a_c counter\na_c_total{o=\"r\",p=\"s\"} 7\n\
             # TYPE a_d_seconds histogram\na_d_seconds_sum 1.5\na_d_seconds_count 3\na_d_seconds_bucket{le=\"1\"} 3\n# EOF\n";
        let json = of(text, Timestamp(0));
        assert_eq!(json["Gauges"], json!([{ "Name": "a_x", "Value": 3, "Labels": {} }]));
        let counter = json!([{ "Name": "a_c", "Count": 7, "Sum": 7, "Labels": { "o": "r", "p": "s" } }]);
        assert_eq!(json["Counters"], counter);
        let sample = json!([{ "Name": "a_d_seconds", "Labels": {}, "Sum": 1.5, "Count": 3, "Mean": 0.5 }]);
        assert_eq!(json["Samples"], sample);
    }
}

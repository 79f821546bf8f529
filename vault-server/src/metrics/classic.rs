//! Metrics in the older text format of Prometheus (version 0.0.4), for readers that do not ask for OpenMetrics.

/// Rewrites OpenMetrics text: counters and infos go by the names of their samples, units and the end are left out.
pub(crate) fn of(open_metrics: &str) -> String {
    let mut classic = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        let comment = line.strip_prefix("# ").and_then(|comment| comment.split_once(' '));
        match comment {
            Some(("HELP", text)) => help = text,
            Some(("TYPE", text)) => {
                let (name, kind) = text.split_once(' ').unwrap_or((text, "untyped"));
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    _ => ("", kind),
                };
                if let Some((_, help)) = help.split_once(' ').filter(|(own, _)| *own == name) {
                    classic.push_str(&format!("# HELP {name}{suffix} {help}\n"));
                }
                classic.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
            }
            _ if line.starts_with('#') => {}
            _ => {
                classic.push_str(line);
                classic.push('\n');
            }
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_samples_and_units_are_left_out() {
        let open = "# HELP a_c Count.\n# TYPE a_c counter\na_c_total{o=\"r\"} 7\n# HELP a_b Build.\n# TYPE a_b info\n\
             a_b_info{v=\"1\"} 1\n# HELP a_s_seconds Span.\n# TYPE a_s_seconds gauge\n# UNIT a_s_seconds seconds\n\
             a_s_seconds 3\n# EOF\n";
        let classic = "# HELP a_c_total Count.\n# TYPE a_c_total counter\na_c_total{o=\"r\"} 7\n# HELP a_b_info Build.\n\
             # TYPE a_b_info gauge\na_b_info{v=\"1\"} 1\n# HELP a_s_seconds Span.\n# TYPE a_s_seconds gauge\na_s_seconds 3\n";
        assert_eq!(of(open), classic);
    }
}

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

fn settings(one_in: u32) -> TraceSettings {
    TraceSettings { endpoint: "http://127.0.0.1:1/".to_owned(), one_in, authorization_file: None, ca: None }
}

fn traces(settings: Option<TraceSettings>) -> (Traces, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new(Timestamp(0)));
    (Traces::new(settings, Arc::clone(&metrics)), metrics)
}

fn begin(traces: &Traces) -> Trace<'_> {
    let mut rng = StdRng::seed_from_u64(1);
    traces.begin((RequestId([7; 16]), Operation::Read), None, Timestamp(5), &mut rng)
}

async fn waiting(traces: &Traces) -> Vec<Finished> {
    let mut queue = traces.sending.as_ref().unwrap().waiting.lock().await;
    std::iter::from_fn(|| queue.try_recv().ok()).collect()
}

#[tokio::test]
async fn stages_are_kept_in_their_order_and_given_up_is_an_end_too() {
    let (traces, _) = traces(Some(settings(1)));
    let trace = begin(&traces);
    assert_eq!(trace.during(Stage::Identify, async { 3 }).await, 3);
    trace.during(Stage::Permit, tokio::time::sleep(Duration::from_millis(5))).await;
    trace.ended("answered");
    drop(begin(&traces));
    let ended = waiting(&traces).await;
    assert_eq!(ended.iter().map(|finished| finished.outcome).collect::<Vec<_>>(), ["answered", "given_up"]);
    let stages = &ended[0].stages;
    assert_eq!(stages.iter().map(|passed| passed.stage).collect::<Vec<_>>(), [Stage::Identify, Stage::Permit]);
    assert!(stages[1].took >= Duration::from_millis(5) && stages[1].after + stages[1].took <= ended[0].took);
    assert!(stages[0].span_id != stages[1].span_id && stages[0].span_id != ended[0].span_id);
    assert_eq!(ended[0].trace_id, [7; 16], "without a caller's trace it is called as the request");
}

#[tokio::test]
async fn only_some_requests_are_traced_and_without_settings_none() {
    let (some, _) = traces(Some(settings(3)));
    (0..7).for_each(|_| begin(&some).ended("answered"));
    assert_eq!(waiting(&some).await.len(), 3);
    let (none, _) = traces(None);
    let trace = begin(&none);
    assert!(trace.0.is_none());
    assert_eq!(trace.during(Stage::Gate, async { 3 }).await, 3);
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_and_stages_are_bounded() {
    let (traces, metrics) = traces(Some(settings(1)));
    let trace = begin(&traces);
    for _ in 0..STAGES_MAX + 10 {
        trace.during(Stage::Decide, async {}).await;
    }
    trace.ended("answered");
    (0..WAITING_MAX + 4).for_each(|_| begin(&traces).ended("answered"));
    let text = metrics.write(vault_core::question::MetricsFormat::Prometheus, Timestamp(0)).unwrap();
    assert!(text.lines().any(|line| line == "keyturn_traces_total{outcome=\"dropped\"} 5"), "{text}");
    assert_eq!(waiting(&traces).await[0].stages.len(), STAGES_MAX);
}

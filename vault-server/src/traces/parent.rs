//! The trace that a caller's request belongs to, as the header `traceparent` tells it (W3C Trace Context, section 3.2).

use data_encoding::HEXLOWER;

/// How long version 00 is.
const LENGTH_BYTES: usize = 55;

/// A caller's trace and span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TraceParent {
    /// The trace.
    pub(crate) trace_id: [u8; 16],
    /// The span of the caller.
    pub(crate) span_id: [u8; 8],
}

impl TraceParent {
    /// Reads the header; `None` for any other form, which is to be passed over, as the standard says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH_BYTES {
            return None;
        }
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_flags = flags.len() == 2 && HEXLOWER.decode(flags.as_bytes()).is_ok();
        if version != "00" || !is_flags || parts.next().is_some() {
            return None;
        }
        let trace_id: [u8; 16] = HEXLOWER.decode(trace.as_bytes()).ok()?.try_into().ok()?;
        let span_id: [u8; 8] = HEXLOWER.decode(span.as_bytes()).ok()?.try_into().ok()?;
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_the_one_form_is_read() {
        let parent = TraceParent::parse(EXAMPLE).unwrap();
        assert_eq!(HEXLOWER.encode(&parent.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(HEXLOWER.encode(&parent.span_id), "00f067aa0ba902b7");
        for bad in [
            EXAMPLE.to_uppercase(),
            EXAMPLE.replacen("00", "01", 1),
            EXAMPLE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            EXAMPLE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            format!("{EXAMPLE}-x"),
            EXAMPLE.replace("-01", "-zz"),
            String::new(),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-f-]{50,60}|.{0,60}") {
            let _ = TraceParent::parse(&text);
        }
    }
}

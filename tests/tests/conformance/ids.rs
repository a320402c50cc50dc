//! Ids: their bytes, digits, order and randomness, however they are held.

use clewline_core::{SpanId, TraceId};
use proptest::prelude::*;

use crate::config;

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn ids_are_their_bytes(bytes in any::<u128>(), other in any::<u128>(), keep in 0..128_u32) {
        // Ids of few bits too, and zero among them.
        let (bytes, other) = (bytes >> keep, other >> keep);
        let (id, other_id) = (TraceId::from_bytes(bytes.to_be_bytes()), TraceId::from_bytes(other.to_be_bytes()));
        prop_assert_eq!(id.is_some(), bytes != 0);
        prop_assert_eq!(TraceId::from_slice(&bytes.to_be_bytes()), id);
        prop_assert_eq!(TraceId::from_hex(&format!("{bytes:032x}")), id);
        prop_assert_eq!(TraceId::from_hex(&format!("{bytes:032X}")), id);
        let (Some(id), Some(other_id)) = (id, other_id) else { return Ok(()) };
        prop_assert_eq!(id.to_bytes(), bytes.to_be_bytes());
        prop_assert_eq!(id.to_string(), format!("{bytes:032x}"));
        prop_assert_eq!(id.to_hex().to_vec(), format!("{bytes:032x}").into_bytes());
        prop_assert_eq!(id.cmp(&other_id), bytes.cmp(&other), "in the order of their digits");
        // OpenTelemetry, "TraceState: Probability Sampling": R is the right-most 56 bits.
        prop_assert_eq!(u128::from(id.randomness()), bytes & ((1 << 56) - 1));
    }

    #[test]
    fn span_ids_are_their_bytes(bytes in any::<u64>(), other in any::<u64>(), keep in 0..64_u32) {
        let (bytes, other) = (bytes >> keep, other >> keep);
        let (id, other_id) = (SpanId::from_bytes(bytes.to_be_bytes()), SpanId::from_bytes(other.to_be_bytes()));
        prop_assert_eq!(id.is_some(), bytes != 0);
        prop_assert_eq!(SpanId::from_slice(&bytes.to_be_bytes()), id);
        prop_assert_eq!(SpanId::from_hex(&format!("{bytes:016x}")), id);
        let (Some(id), Some(other_id)) = (id, other_id) else { return Ok(()) };
        prop_assert_eq!(id.to_bytes(), bytes.to_be_bytes());
        prop_assert_eq!(id.to_string(), format!("{bytes:016x}"));
        prop_assert_eq!(id.cmp(&other_id), bytes.cmp(&other));
    }
}

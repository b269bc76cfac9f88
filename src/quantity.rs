//! Kubernetes quantities (`500m`, `1.5Gi`, `1e3`), whole grammar. Used for limits and requests, in policies and in Pods.

/// An amount in billionths of its unit (cores or bytes), saturating. Finer amounts are rounded up, as Kubernetes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i128);

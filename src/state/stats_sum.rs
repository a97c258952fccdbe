//! Sums of counters, for groups of servers.

use std::ops::AddAssign;

use crate::state::{
    AcceptErrorCounts, HandshakeErrorCounts, RejectionCounts, Stats, TimeoutCounts,
};

/// Adds the values of each field. Naming all of them makes a field that is missing here an error of the compiler.
macro_rules! add_fields {
    ($type:ident: $($field:ident),* $(,)?) => {
        impl AddAssign for $type {
            fn add_assign(&mut self, other: Self) {
                let Self { $($field),* } = other;
                $(self.$field += $field;)*
            }
        }
    };
}

add_fields!(Stats: accepted, completed, failed, disconnected, force_closed, rejected, dropped, active, rejected_by, timeouts, accept_errors, handshake_errors, bytes_received, bytes_sent, worker_stalls);
add_fields!(RejectionCounts: verify_request, strategy, max_connections, max_per_client, accept_rate, access_list, descriptors, handshake, closing);
add_fields!(TimeoutCounts: read, write, first_byte, idle, request);
add_fields!(AcceptErrorCounts: retried, backed_off, fatal);
add_fields!(HandshakeErrorCounts: timed_out, disconnected, proxy_header, not_tls, incompatible, client_certificate, alert, other);

/// The sum of the counters of several servers.
///
/// See the [example](crate::GroupHandle::stats).
impl std::iter::Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |mut sum, stats| {
            sum += stats;
            sum
        })
    }
}

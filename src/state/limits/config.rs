//! Configuration of the limits.

use crate::state::limits::{AccessList, TokenBucket};
use crate::state::{OverloadPolicy, Rejection};

/// The settings of [`ServerOptions`](crate::ServerOptions) for limits.
#[derive(Debug)]
pub(crate) struct LimitConfig {
    pub(crate) max_connections: Option<usize>,
    pub(crate) at_max_connections: OverloadPolicy,
    pub(crate) max_per_client: Option<usize>,
    pub(crate) at_max_per_client: Rejection,
    pub(crate) accept_rate: Option<TokenBucket>,
    pub(crate) at_accept_rate: OverloadPolicy,
    pub(crate) access_list: AccessList,
    pub(crate) at_denied: Rejection,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            max_connections: None,
            at_max_connections: OverloadPolicy::Wait,
            max_per_client: None,
            at_max_per_client: Rejection::Close,
            accept_rate: None,
            at_accept_rate: OverloadPolicy::Wait,
            access_list: AccessList::new(),
            at_denied: Rejection::Close,
        }
    }
}

//! Limits on which clients are accepted, beside the capacities of the strategies.
//!
//! - The counters of the server are the only count of active connections. Only connections that are about
//!   to be accepted are counted here: an accept loop holds a permit, which is a place and a token, while
//!   it accepts. An unused permit returns both when it is dropped.
//! - A permit that is out is no reason to reject a client, because it may come back unused in a moment:
//!   other loops that have seen the same client wait.
//! - A rejected connection is never active. It is counted as accepted and as rejected in one step.
//! - A loop announces that it waits for a place and then checks again. The end of a request is counted
//!   before the check for waiting loops. So one of the two sides sees the other. One of several waiting
//!   loops is woken; a handler may be blocking just that one, so the others check every 50 ms.
//! - Every limit can be changed while the server serves. A change is made under the lock of the limit, and
//!   then wakes a loop that waits. A permit of an earlier limit stays valid.
//! - The limits by the address of a client (access list, connections per client) are checked in one call,
//!   [`Limits::admit_client`], once the address is known. Neither needs a permit, so a connection can also be
//!   admitted by its address later.
//! - A client over its own limit is never kept waiting: its address is known only after accept, in the
//!   backlog it would delay all others, and an accepted connection costs what the limit is meant to save.

mod access;
mod admission;
mod client_counts;
mod config;
mod policy;
mod shared;
mod token_bucket;

pub use self::access::{AccessList, NetworkError, ToNetwork};
pub use self::policy::{OverloadPolicy, Rejection};

pub(crate) use self::admission::{Entry, Limits, Permit};
pub(crate) use self::client_counts::Client;
pub(crate) use self::config::LimitConfig;
pub(crate) use self::policy::Admission;
pub(crate) use self::shared::{SharedEntry, SharedLimit};
pub(crate) use self::token_bucket::TokenBucket;

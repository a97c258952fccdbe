//! Limits on which clients are accepted, beside the capacities of the strategies.

mod admission;
mod client_counts;
mod config;
mod policy;
mod token_bucket;

pub use self::policy::{OverloadPolicy, Rejection};

pub(crate) use self::admission::{Entry, Limits};
pub(crate) use self::client_counts::Client;
pub(crate) use self::config::LimitConfig;
pub(crate) use self::policy::Admission;
pub(crate) use self::token_bucket::TokenBucket;

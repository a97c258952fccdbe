//! Stand-in for the policy about connections in the backlog. The models serve them.

#[derive(Clone)]
pub(crate) enum BacklogPolicy {
    Serve,
}

//! Results that are not reported as errors, and a hook that panics.

use super::*;

/// When several loops wait for one client, all but one of them find the backlog empty.
fn an_empty_backlog_is_no_error<T: Inner>(kind: Kind) {
    let faulty = faulty_server::<T>(kind);
    faulty.plan.fail_with(40, Errno::EAGAIN);
    faulty.expect_served(faulty.client());
    assert_eq!(faulty.errors.try_iter().count(), 0);
    faulty.expect_counts([0, 0, 0]);
    faulty.server.stop().unwrap();
}

fn a_hook_that_panics_costs_nothing<T: Inner>(kind: Kind) {
    expect_panics();
    let faulty = faulty_server_with_hook::<T>(kind, |_| panic!("on purpose"));
    for errno in [Errno::ECONNABORTED, Errno::EMFILE] {
        faulty.plan.fail_with(2, errno);
        faulty.expect_served(faulty.client());
    }
    faulty.expect_counts([2, 2, 0]);
    faulty.server.stop().unwrap();
}

by_transport_and_kind!(
    an_empty_backlog_is_no_error,
    a_hook_that_panics_costs_nothing,
);

//! Errors after which the accept loop tries again at once.

use super::*;

fn errors_of_one_client_are_retried_at_once<T: Inner>(kind: Kind) {
    let faulty = faulty_server::<T>(kind);
    let mut retried = 0;
    for &errno in RETRIED {
        faulty.plan.fail_with(3, errno);
        faulty.expect_served(faulty.client());
        for _ in 0..3 {
            assert_eq!(next(&faulty.errors), Some(errno as i32), "{errno}");
        }
        retried += 3;
        faulty.expect_counts([retried, 0, 0]);
    }
    // The error of a custom transport may have no error number.
    let unusable = || io::Error::new(io::ErrorKind::ConnectionAborted, "one client");
    faulty.plan.fail(3, unusable);
    faulty.expect_served(faulty.client());
    assert_eq!(next(&faulty.errors), None);
    faulty.expect_counts([retried + 3, 0, 0]);
    faulty.server.stop().unwrap();
}

/// The accept loop retries 16 times at once. Then it waits 10 ms, 20 ms and so on.
fn many_client_errors_in_a_row_do_not_spin<T: Inner>(kind: Kind) {
    let faulty = faulty_server::<T>(kind);
    faulty.plan.fail_with(usize::MAX, Errno::EPROTO);
    let client = faulty.client();
    for calls in faulty.plan.wait_for_calls(16 + 5) {
        assert_gaps(calls.get(16..).unwrap_or_default());
    }
    faulty.plan.end_faults();
    faulty.expect_served(client);
    faulty.server.stop().unwrap();
}

by_transport_and_kind!(
    errors_of_one_client_are_retried_at_once,
    many_client_errors_in_a_row_do_not_spin,
);

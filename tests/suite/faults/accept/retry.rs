//! Retry.

use super::*;

fn what_concerns_one_client_is_retried_at_once<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    let mut retried = 0;
    for errno in RETRIED {
        patient.plan.fail_with(3, errno);
        patient.is_served(patient.client());
        for _ in 0..3 {
            assert_eq!(next(&patient.errors), Some(errno as i32), "{errno}");
        }
        retried += 3;
        patient.expect_counts([retried, 0, 0]);
    }
    // A transport of one's own may have no number for it.
    let unusable = || io::Error::new(io::ErrorKind::ConnectionAborted, "one client");
    patient.plan.fail(3, unusable);
    patient.is_served(patient.client());
    assert_eq!(next(&patient.errors), None);
    patient.expect_counts([retried + 3, 0, 0]);
    patient.server.stop().unwrap();
}

/// The longest row is 16; from then on it is waited, 10 ms, 20 ms and so on.
fn many_of_these_in_a_row_do_not_spin<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    patient.plan.fail_with(usize::MAX, Errno::ECONNABORTED);
    let client = patient.client();
    for calls in patient.plan.wait_for_calls(16 + 5) {
        assert_gaps(calls.get(16..).unwrap_or_default());
    }
    patient.plan.mend();
    patient.is_served(client);
    patient.server.stop().unwrap();
}

by_transport_and_kind!(
    what_concerns_one_client_is_retried_at_once,
    many_of_these_in_a_row_do_not_spin,
);

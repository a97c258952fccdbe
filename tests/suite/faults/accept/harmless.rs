//! None at all.

use super::*;

/// Where several loops wait for one client, all but one find nothing.
fn nothing_there_after_all_is_no_error<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    patient.plan.fail_with(40, Errno::EAGAIN);
    patient.is_served(patient.client());
    assert_eq!(patient.errors.try_iter().count(), 0);
    patient.expect_counts([0, 0, 0]);
    patient.server.stop().unwrap();
}

fn a_hook_that_panics_costs_nothing<T: Inner>(kind: Kind) {
    expect_panics();
    let patient = patient_that_tells::<T>(kind, |_| panic!("on purpose"));
    for errno in [Errno::ECONNABORTED, Errno::EMFILE] {
        patient.plan.fail_with(2, errno);
        patient.is_served(patient.client());
    }
    patient.expect_counts([2, 2, 0]);
    patient.server.stop().unwrap();
}

by_transport_and_kind!(
    nothing_there_after_all_is_no_error,
    a_hook_that_panics_costs_nothing,
);

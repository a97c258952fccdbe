//! Back off.

use super::*;

/// There are descriptors, whatever the error says: that is worth one try at once. Those after it come by
/// and by, at the latest when the next would be due anyway.
#[track_caller]
fn assert_at_most_one_hope(calls: &[Instant]) {
    let pauses: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let hopes = pauses.iter().filter(|pause| pause.as_millis() < 10).count();
    assert!(hopes <= 1, "{pauses:?}");
}

fn want_of_resources_is_waited_out<T: Inner>(kind: Kind) {
    for errno in BACKED_OFF {
        assert_eq!(AcceptErrorKind::of(&errno.into()), AcceptErrorKind::BackOff);
    }
    // By default a want of descriptors and one of memory, because each takes a second.
    for errno in BACKED_OFF.into_iter().step_by(scale(3, 1)) {
        let patient = patient::<T>(kind);
        patient.plan.fail_with(usize::MAX, errno);
        let client = patient.client();
        let is_hopeful = matches!(errno, Errno::EMFILE | Errno::ENFILE);
        for calls in patient.plan.wait_for_calls(7) {
            if is_hopeful {
                assert_at_most_one_hope(&calls);
            } else {
                assert_gaps(&calls);
            }
        }
        patient.plan.mend();
        patient.is_served(client);
        let told: Vec<_> = patient.errors.try_iter().collect();
        assert!(told.len() >= 4, "{errno}: told of {}", told.len());
        assert!(told.iter().all(|&told| told == Some(errno as i32)));
        let errors = patient.server.stats().accept_errors;
        assert!(errors.backed_off >= told.len() as u64, "{errors:?}");
        assert_eq!((errors.retried, errors.fatal), (0, 0));
        patient.server.stop().unwrap();
    }
}

/// A want of memory after one of descriptors: that there are some again is no reason to hope.
fn one_want_after_another_does_not_spin<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    let calls = AtomicUsize::new(0);
    patient.plan.fail(usize::MAX, move || {
        let first = calls.fetch_add(1, Ordering::SeqCst) < 2;
        let errno = if first { Errno::EMFILE } else { Errno::ENOMEM };
        errno.into()
    });
    let client = patient.client();
    let all = patient.plan.wait_for_calls(9);
    // Each hope is disappointed at most once by each of them.
    for calls in all.iter().filter(|calls| calls.len() == 9) {
        let took = calls[8] - calls[2];
        let least = Duration::from_millis(10 + 20 + 40);
        assert!(took >= least, "tried six times in {took:?}");
    }
    patient.plan.mend();
    patient.is_served(client);
    patient.server.stop().unwrap();
}

/// After the eighth try, the ninth is a second away.
fn a_stop_does_not_wait_for_the_next_try<T: Inner>(kind: Kind) {
    let patient = patient::<T>(kind);
    // A want of memory: for one of descriptors, the server knows a remedy after a second.
    patient.plan.fail_with(usize::MAX, Errno::ENOBUFS);
    let client = patient.client();
    patient.plan.wait_for_calls(8);
    let start = Instant::now();
    // What is waiting in the queue of the system may be taken in at the close.
    patient.plan.mend();
    in_time(move || patient.server.stop()).unwrap();
    // That it is done at once is the promise; what is more than nothing is the machine's.
    let took = start.elapsed();
    assert!(took < Duration::from_millis(800), "stopped after {took:?}");
    drop(client);
}

by_transport_and_kind!(
    want_of_resources_is_waited_out,
    one_want_after_another_does_not_spin,
    a_stop_does_not_wait_for_the_next_try,
);

//! Errors after which the accept loop backs off.

use super::*;

/// Asserts that at most one call follows its predecessor at once. The simulated error reports that there
/// is no descriptor, but one is free, so the server tries once more without a pause. Further attempts
/// are delayed.
#[track_caller]
fn assert_at_most_one_immediate_retry(calls: &[Instant]) {
    let pauses: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let immediate = pauses.iter().filter(|pause| pause.as_millis() < 10).count();
    assert!(immediate <= 1, "{pauses:?}");
}

fn a_lack_of_resources_is_waited_out<T: Inner>(kind: Kind) {
    for &errno in BACKED_OFF {
        assert_eq!(AcceptErrorKind::of(&errno.into()), AcceptErrorKind::BackOff);
    }
    // By default only a lack of descriptors and a lack of memory, because each takes a second.
    for &errno in BACKED_OFF.iter().step_by(scale(3, 1)) {
        let faulty = faulty_server::<T>(kind);
        faulty.plan.fail_with(usize::MAX, errno);
        let client = faulty.client();
        let is_fd_exhaustion = matches!(errno, Errno::EMFILE | Errno::ENFILE);
        for calls in faulty.plan.wait_for_calls(7) {
            if is_fd_exhaustion {
                assert_at_most_one_immediate_retry(&calls);
            } else {
                assert_gaps(&calls);
            }
        }
        faulty.plan.end_faults();
        faulty.expect_served(client);
        let reported: Vec<_> = faulty.errors.try_iter().collect();
        assert!(reported.len() >= 4, "{errno}: {} reported", reported.len());
        assert!(reported.iter().all(|&error| error == Some(errno as i32)));
        let errors = faulty.server.stats().accept_errors;
        assert!(errors.backed_off >= reported.len() as u64, "{errors:?}");
        assert_eq!((errors.retried, errors.fatal), (0, 0));
        faulty.server.stop().unwrap();
    }
}

/// The lack of memory follows a lack of descriptors. A free descriptor then causes no immediate retry,
/// because it does not help against the lack of memory.
fn one_lack_after_another_does_not_spin<T: Inner>(kind: Kind) {
    let faulty = faulty_server::<T>(kind);
    let calls = AtomicUsize::new(0);
    faulty.plan.fail(usize::MAX, move || {
        let first = calls.fetch_add(1, Ordering::SeqCst) < 2;
        let errno = if first { Errno::EMFILE } else { Errno::ENOMEM };
        errno.into()
    });
    let client = faulty.client();
    let all = faulty.plan.wait_for_calls(9);
    // Each of the two errors causes at most one immediate retry.
    for calls in all.iter().filter(|calls| calls.len() == 9) {
        let took = calls[8] - calls[2];
        let least = Duration::from_millis(10 + 20 + 40);
        assert!(took >= least, "six attempts in {took:?}");
    }
    faulty.plan.end_faults();
    faulty.expect_served(client);
    faulty.server.stop().unwrap();
}

/// The pause after the eighth attempt is a second.
fn a_stop_does_not_wait_for_the_next_attempt<T: Inner>(kind: Kind) {
    let stop = || {
        let faulty = faulty_server::<T>(kind);
        // A lack of memory, because against a lack of descriptors the server uses its reserve after a second.
        faulty.plan.fail_with(usize::MAX, Errno::ENOBUFS);
        let client = faulty.client();
        faulty.plan.wait_for_calls(8);
        let start = Instant::now();
        // The close may accept the connection in the backlog.
        faulty.plan.end_faults();
        in_time(move || faulty.server.stop()).unwrap();
        drop(client);
        start.elapsed()
    };
    // The stop is immediate. A busy machine can delay it, but not each of ten.
    let soon = |took: &Duration| *took < Duration::from_millis(800);
    let took = up_to_ten(stop, soon);
    assert!(took.last().is_some_and(soon), "stopped after {took:?}");
}

by_transport_and_kind!(
    a_lack_of_resources_is_waited_out,
    one_lack_after_another_does_not_spin,
    a_stop_does_not_wait_for_the_next_attempt,
);

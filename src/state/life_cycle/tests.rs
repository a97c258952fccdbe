//! Tests of the life cycle.

use super::*;

fn served_once() -> LifeCycle<()> {
    let state = LifeCycle::new();
    assert!(state.begin_run(RunKind::Forever));
    state.end_run(|| ());
    state
}

fn stop(state: &LifeCycle<()>, by_signal: bool) -> Stop {
    state.stop(by_signal, || (), || ())
}

#[test]
fn between_two_runs_a_stop_is_too_late_but_a_signal_is_not() {
    let state = served_once();
    assert_eq!(stop(&state, false), Stop::TooLate);
    assert!(state.begin_run(RunKind::Forever));
    assert!(!state.is_stopping());
    state.end_run(|| ());
    assert_eq!(stop(&state, true), Stop::Requested);
    assert!(state.begin_run(RunKind::Forever));
    assert!(state.is_stopping());
    state.end_run(|| ());
    assert!(
        !state.is_stopping(),
        "the signal must end only the first run after it"
    );
}

#[test]
fn only_one_run_goes_on_at_a_time() {
    let state = served_once();
    assert!(state.begin_run(RunKind::Once));
    assert!(!state.begin_run(RunKind::Forever));
    assert!(!state.wait_until_stopped(Some(Instant::now())));
    state.end_run(|| ());
    assert!(state.wait_until_stopped(None));
}

#[test]
fn the_phases_follow_each_other() {
    let state = LifeCycle::new();
    state.configure_shutdown(|config| config.lame_duck = Duration::from_secs(3600));
    assert_eq!(state.phase(), Phase::Bound);
    assert!(state.begin_run(RunKind::Forever));
    assert_eq!(state.phase(), Phase::Serving);
    let Stop::Deferred { run } = stop(&state, false) else {
        panic!("a stop must be deferred by the lame duck");
    };
    assert_eq!(state.phase(), Phase::LameDuck);
    assert!(state.is_shutting_down() && !state.is_stopping());
    assert_eq!(stop(&state, false), Stop::AlreadyRequested);
    assert_eq!(
        state.phase(),
        Phase::LameDuck,
        "a second stop must not shorten the lame duck"
    );
    assert!(state.finish_lame_duck(run, true, || (), || ()));
    assert_eq!(state.phase(), Phase::Draining);
    assert!(state.is_stopping());
    state.end_run(|| ());
    assert_eq!(state.phase(), Phase::Bound);
    assert!(state.is_shutting_down());
    let force_close_at = state.begin_closing(|| ());
    assert!(force_close_at > Instant::now().checked_add(Duration::from_secs(3000)));
    assert_eq!(state.phase(), Phase::Draining);
    state.begin_force_close();
    assert_eq!(state.phase(), Phase::Closing);
    state.finish_closing(|| ());
    assert_eq!(state.phase(), Phase::Stopped);
}

#[test]
fn the_grace_period_begins_with_the_stop() {
    let state = LifeCycle::new();
    assert!(state.begin_run(RunKind::Forever));
    stop(&state, false);
    let stopped_at = Instant::now();
    state.end_run(|| ());
    let force_close_at = state.begin_closing(|| ()).unwrap();
    assert!(force_close_at <= stopped_at + ShutdownConfig::DEFAULT.grace_period);
}

#[test]
fn a_lame_duck_ends_with_its_run() {
    let state = LifeCycle::new();
    state.configure_shutdown(|config| config.lame_duck = Duration::from_secs(3600));
    assert!(state.begin_run(RunKind::Forever));
    let Stop::Deferred { run } = stop(&state, false) else {
        panic!("a stop must be deferred by the lame duck");
    };
    state.end_run(|| ());
    assert!(!state.finish_lame_duck(run, false, || (), || ()));
    assert!(state.begin_run(RunKind::Forever));
    assert!(!state.is_stopping() && !state.is_shutting_down());
}

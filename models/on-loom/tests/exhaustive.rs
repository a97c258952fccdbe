//! All schedules of the small models, and all values that their loads may return.

use loom::model::Builder;

/// Tries all schedules with at most this number of preemptions. A switch from a thread that waits is no
/// preemption.
fn search(model: fn(), preemptions: Option<usize>) {
    let mut search = Builder::new();
    search.preemption_bound = preemptions.or(search.preemption_bound);
    search.max_branches = 20_000;
    search.check(model);
}

macro_rules! search {
    ($($part:ident: $($model:ident $(by $bound:literal)?),+ $(,)?;)+) => {
        $(mod $part {
            $(#[test]
            fn $model() {
                super::search(models::$part::$model, None $(.or(Some($bound)))?);
            })+
        })+
    };
}

search! {
    thread_pool:
        one_thread_runs_two_jobs by 3,
        closing_loses_no_single_job;
    threading:
        a_job_is_handed_over by 3,
        closing_ends_the_only_thread by 3;
    fair_mutex:
        two_waiters_get_the_lock,
        one_of_two_waiters_times_out,
        one_of_three_waiters_times_out by 3;
    life_cycle:
        a_stop_ends_the_run by 3,
        the_end_of_a_run_wakes_waiters by 3,
        only_one_run_at_a_time,
        a_lame_duck_ends_with_its_run,
        a_lame_duck_is_stopped by 3,
        a_watch_ends_with_its_run,
        a_notified_waiter_sees_the_change;
    monitor:
        a_thread_is_woken_by_a_change,
        a_coroutine_is_woken_by_a_change,
        a_coroutine_is_woken_or_times_out,
        two_coroutines_see_all_changes by 3;
}

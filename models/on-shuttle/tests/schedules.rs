//! Random schedules of all models, and every schedule of those that are small enough.

mod check;

macro_rules! models {
    ($($search:ident $part:ident: $($model:ident),+ $(,)?;)+) => {
        $(mod $part {
            $(#[test]
            fn $model() {
                super::check::$search(models::$part::$model);
            })+
        })+
    };
}

models! {
    randomly pool:
        every_job_runs_once,
        nobody_waits_behind_a_handler_while_there_are_threads,
        who_finds_no_place_is_refused,
        closing_loses_no_job,
        a_full_pool_hears_a_stop,
        without_a_thread_jobs_are_given_back,
        one_thread_of_two_serves_all;
    randomly threading:
        every_job_runs_once,
        idle_threads_hear_of_every_job,
        a_thread_for_each,
        one_at_a_time,
        nobody_waits_behind_a_handler,
        closing_loses_no_job,
        closing_sends_all_home,
        without_a_thread_jobs_are_given_back;
    randomly turn:
        everybody_has_a_turn,
        who_gives_up_holds_up_nobody;
    randomly monitor:
        nobody_misses_a_change,
        two_coroutines_hear_of_all_changes;
}

mod all {
    models! {
        exhaustively monitor:
            a_thread_hears_of_the_change,
            a_coroutine_hears_of_the_change,
            a_coroutine_hears_or_gives_up;
    }
    use super::check;
}

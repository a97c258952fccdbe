//! Random schedules of the models, and all schedules of a few small ones.

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
    randomly thread_pool:
        every_job_runs_once,
        capacity_is_used_as_soon_as_it_is_free,
        no_job_waits_for_a_busy_thread_while_another_can_start,
        closing_loses_no_job,
        a_stop_wakes_the_loop_of_a_full_pool,
        without_a_thread_jobs_are_rejected,
        one_thread_of_two_serves_all_clients;
    randomly threading:
        every_job_runs_once,
        every_job_wakes_an_idle_thread,
        without_keep_alive_each_job_has_a_thread,
        with_one_thread_jobs_run_one_at_a_time,
        no_job_waits_for_a_busy_thread,
        closing_loses_no_job,
        closing_ends_all_threads,
        without_a_thread_jobs_are_rejected;
    randomly fair_mutex:
        every_waiter_gets_the_lock,
        a_waiter_that_times_out_delays_no_other;
    randomly monitor:
        no_waiter_misses_a_change,
        two_coroutines_see_all_changes;
    randomly life_cycle:
        a_stop_ends_the_run,
        the_end_of_a_run_wakes_waiters,
        only_one_run_at_a_time,
        a_lame_duck_ends_with_its_run,
        a_lame_duck_is_stopped,
        a_watch_ends_with_its_run,
        a_notified_waiter_sees_the_change;
    alone limits:
        a_raised_limit_wakes_the_loop,
        a_removed_limit_wakes_the_loop,
        a_limit_counts_requests_that_run,
        no_place_is_lost_while_limits_change;
    alone shutdown:
        all_clients_are_served_in_threads,
        all_clients_are_served_inline,
        idle_clients_of_threads_are_force_closed,
        a_stop_ends_the_wait_for_a_message,
        an_idle_inline_client_is_force_closed,
        without_a_thread_there_is_no_grace_period,
        idle_clients_in_the_backlog_are_force_closed,
        the_grace_period_expires_between_clients_in_the_backlog,
        a_stop_ends_every_loop,
        the_end_of_the_last_request_wakes_waiters,
        each_run_has_its_own_stop,
        a_lame_duck_stops;
}

mod all {
    models! {
        exhaustively monitor:
            a_thread_is_woken_by_a_change,
            a_coroutine_is_woken_by_a_change,
            a_coroutine_is_woken_or_times_out;
    }
    use super::check;
}

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
        a_place_is_filled_as_soon_as_it_is_free,
        no_job_waits_behind_a_handler_while_there_are_threads,
        closing_loses_no_job,
        a_full_pool_can_be_stopped,
        without_a_thread_jobs_are_rejected,
        one_thread_of_two_serves_all;
    randomly threading:
        every_job_runs_once,
        idle_threads_get_every_job,
        a_thread_for_each,
        one_at_a_time,
        no_job_waits_behind_a_handler,
        closing_loses_no_job,
        closing_ends_all_threads,
        without_a_thread_jobs_are_rejected;
    randomly fair_mutex:
        every_waiter_gets_the_lock,
        a_waiter_that_times_out_delays_no_other;
    randomly monitor:
        no_waiter_misses_a_change,
        two_coroutines_notice_all_changes;
    randomly life_cycle:
        a_stop_ends_the_run,
        the_end_of_a_run_wakes_its_waiters,
        only_one_run_at_a_time,
        a_lame_duck_ends_with_its_run,
        a_lame_duck_is_stopped,
        a_watch_ends_with_its_run,
        a_notification_wakes_its_waiters;
    alone stop:
        every_client_is_served_in_threads,
        every_client_is_served_in_the_loop,
        idle_clients_of_threads_are_force_closed,
        an_idle_client_of_the_loop_is_force_closed,
        without_a_thread_to_watch_there_is_no_grace_period,
        idle_clients_in_the_backlog_are_force_closed,
        clients_in_the_backlog_come_and_go,
        every_loop_notices_a_stop,
        the_end_of_the_last_request_wakes_its_waiters,
        each_run_has_its_own_stop,
        a_lame_duck_comes_to_its_end;
}

mod all {
    models! {
        exhaustively monitor:
            a_thread_notices_the_change,
            a_coroutine_notices_the_change,
            a_coroutine_notices_the_change_or_times_out;
    }
    use super::check;
}

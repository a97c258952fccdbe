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
    randomly life:
        a_stop_ends_the_run,
        the_end_of_a_run_is_heard_of,
        only_one_serves,
        a_lame_duck_ends_with_its_run,
        a_lame_duck_is_stopped,
        who_watches_goes_home_with_the_run,
        what_is_announced_is_heard;
    alone stop:
        everybody_is_served_in_threads,
        everybody_is_served_in_the_loop,
        idle_clients_of_threads_are_cut_off,
        an_idle_client_of_the_loop_is_cut_off,
        without_a_thread_to_watch_there_is_no_grace,
        idle_clients_in_the_queue_are_cut_off,
        clients_in_the_queue_come_and_go,
        every_loop_hears_of_a_stop,
        the_last_request_is_heard_of,
        each_run_has_its_own_stop,
        a_lame_duck_comes_to_its_end;
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

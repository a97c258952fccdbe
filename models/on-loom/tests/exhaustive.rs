//! Every schedule of the models that are small enough, and every order in which stores may be seen by
//! others.

use loom::model::Builder;

/// Tries all schedules in which no more threads than this are made to give way, where nothing makes them.
/// Those that wait are not counted.
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
    pool:
        one_thread_serves_two by 3,
        closing_loses_no_single_job;
    threading:
        a_job_is_handed_over by 3,
        closing_sends_the_last_one_home by 3;
    turn:
        two_take_turns,
        one_of_two_gives_up,
        one_of_three_gives_up by 3;
    life:
        a_stop_ends_the_run by 3,
        the_end_of_a_run_is_heard_of by 3,
        only_one_serves,
        a_lame_duck_ends_with_its_run,
        a_lame_duck_is_stopped by 3,
        who_watches_goes_home_with_the_run,
        what_is_announced_is_heard;
    monitor:
        a_thread_hears_of_the_change,
        a_coroutine_hears_of_the_change,
        a_coroutine_hears_or_gives_up,
        two_coroutines_hear_of_all_changes by 3;
}

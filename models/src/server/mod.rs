//! In the place of the crate's `server`: its life cycle is the real sources, what it lists is a model.

#[allow(dead_code)]
#[path = "../../../src/server/connections.rs"]
pub(crate) mod connections;
#[allow(dead_code)]
#[path = "../../../src/server/core.rs"]
pub(crate) mod core;
#[allow(dead_code)]
#[path = "../../../src/server/drain.rs"]
pub(crate) mod drain;
pub(crate) mod limits;
pub(crate) mod others;
pub(crate) mod reserve;
#[allow(dead_code)]
#[path = "../../../src/server/stats.rs"]
pub(crate) mod stats;
pub mod stop;

pub(crate) use crate::life_cycle as life;

use std::sync::Arc;

use self::core::Core;

#[derive(Clone)]
pub(crate) struct ServerHandle(pub(crate) Arc<Core>);

pub(crate) mod current {
    //! Nobody waits for itself here.

    use std::sync::Arc;

    use super::core::Core;

    pub(crate) fn is_busy_for(_core: &Arc<Core>) -> bool {
        false
    }
}

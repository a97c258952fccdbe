//! Forking beside other threads is `unsafe`, because the caller must ensure that they hold no lock.
//! expect: is unsafe and requires unsafe block
use socketserver::prelude::*;

fn main() {
    let _ = Forking::new_unchecked();
}

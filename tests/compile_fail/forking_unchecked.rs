//! Forking beside other threads is `unsafe`: that they hold no lock is for the caller to know.
//! expect: is unsafe and requires unsafe block
use socketserver::prelude::*;

fn main() {
    let _ = Forking::new_unchecked();
}

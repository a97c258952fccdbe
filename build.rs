//! Decides which system interfaces `src/sys` uses.
//!
//! | cfg | meaning |
//! | --- | --- |
//! | `linux_api` | the interfaces of Linux exist, such as `epoll(7)` |
//! | `kernel_waits` | `shutdown(2)` ends the waits of other threads in `recv(2)`, `send(2)` and `poll(2)`: Unix |
//!
//! `RUSTFLAGS='--cfg socketserver_portable'` sets neither, so that tests on Linux run the portable code.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_api, kernel_waits)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_set = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    if is_set("SOCKETSERVER_PORTABLE") {
        return;
    }
    let target = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(&*target, "linux" | "android") {
        println!("cargo::rustc-cfg=linux_api");
    }
    if is_set("UNIX") {
        println!("cargo::rustc-cfg=kernel_waits");
    }
}

//! Decides which system interfaces `src/sys` uses.
//!
//! | cfg | meaning |
//! | --- | --- |
//! | `linux_api` | the interfaces of Linux exist, such as `epoll(7)` |
//! | `coroutines` | the processor is one for which `corosensei` has coroutines |
//! | `kernel_waits` | `shutdown(2)` ends the waits of other threads in `recv(2)`, `send(2)` and `poll(2)`: Unix |
//!
//! `RUSTFLAGS='--cfg socketserver_portable'` sets neither `linux_api` nor `kernel_waits`, so that tests on Linux run the portable code.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_api, kernel_waits, coroutines)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_set = |name: &str| env::var_os(format!("CARGO_CFG_{name}")).is_some();
    // Cargo.toml has the same list.
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let has_coroutines = match &*architecture {
        "x86_64" | "x86" => true,
        "aarch64" | "arm" | "riscv64" | "riscv32" | "loongarch64" => !is_set("WINDOWS"),
        _ => false,
    };
    if has_coroutines {
        println!("cargo::rustc-cfg=coroutines");
    }
    if is_set("SOCKETSERVER_PORTABLE") {
        return;
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cfg=linux_api");
    }
    if is_set("UNIX") {
        println!("cargo::rustc-cfg=kernel_waits");
    }
}

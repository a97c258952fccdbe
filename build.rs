//! Decides which system interfaces `src/sys` uses: the cfg `linux_api` stands for those of Linux.
//!
//! `RUSTFLAGS='--cfg socketserver_portable'` selects the portable ones instead, so that tests on Linux run them.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(linux_api)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_linux = matches!(
        env::var("CARGO_CFG_TARGET_OS").as_deref(),
        Ok("linux" | "android")
    );
    let is_portable = env::var_os("CARGO_CFG_SOCKETSERVER_PORTABLE").is_some();
    if is_linux && !is_portable {
        println!("cargo::rustc-cfg=linux_api");
    }
}

//! A function that changes a captured variable.
//! expect: cannot assign to `visits`, as it is a captured variable in a `Fn` closure
use socketserver::prelude::*;

fn main() {
    let mut visits = 0;
    handler_fn(move |request: &mut TcpRequest| {
        visits += 1;
        Ok(writeln!(request, "{visits}")?)
    });
}

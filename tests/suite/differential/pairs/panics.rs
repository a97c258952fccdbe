use crate::differential::server::*;

fn main() -> Result {
    // The default hook would print the panic before the report.
    std::panic::set_hook(Box::new(|_| {}));
    let panics = handler_fn(|request: &mut TcpRequest| {
        let line = request.readline(100)?;
        request.send_all(&line)?;
        assert!(line != b"panic\n", "no towel");
        Ok(())
    });
    serve(TcpServer::bind(host(), panics)?)
}

pair!(main());

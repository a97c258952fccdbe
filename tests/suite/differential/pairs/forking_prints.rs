use crate::differential::server::*;

fn main() -> Result {
    let prints = handler_fn(|_: &mut TcpRequest| {
        print!("child, ");
        Ok(())
    });
    serve(TcpServer::bind(host(), prints)?.strategy(forking()))?;
    println!("parent");
    Ok(())
}

pair!(main());

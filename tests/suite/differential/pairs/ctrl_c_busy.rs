use crate::differential::server::*;

struct Echo;

impl RequestHandler<TcpRequest> for Echo {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        println!("serving");
        let line = request.readline(100)?;
        request.send_all(&line)?;
        println!("never printed");
        Ok(())
    }

    fn finish(&mut self, _: &mut TcpRequest) -> Result {
        println!("finish");
        Ok(())
    }
}

fn main() -> Result {
    let server = TcpServer::bind(host(), || Echo)?.grace_period(Duration::ZERO);
    server.shutdown_on_ctrl_c()?;
    announce(&server);
    server.serve_forever()?;
    println!("bye");
    Ok(())
}

pair!(main());

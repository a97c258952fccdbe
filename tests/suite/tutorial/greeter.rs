use socketserver::prelude::*;

struct Greeting;

impl RequestHandler<TcpRequest> for Greeting {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        while let Some(line) = request.next_line(1000)? {
            let name = String::from_utf8_lossy(&line);
            writeln!(request, "hello, {}", name.trim())?;
        }
        Ok(())
    }
}

fn main() -> Result {
    let argument = std::env::args().nth(1);
    let address = argument.unwrap_or("localhost:6969".into());
    let server = ThreadingTcpServer::bind(address, || Greeting)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketserver::testing::{TestServer, converse, wait_until};

    #[test]
    fn each_name_is_greeted() -> Result {
        let answer = converse(|| Greeting, "Ada\nBob\n")?;
        assert_eq!(String::from_utf8(answer)?, "hello, Ada\nhello, Bob\n");
        Ok(())
    }

    #[test]
    fn a_name_may_arrive_in_pieces() -> Result {
        let server = ThreadingTcpServer::bind("127.0.0.1:0", || Greeting)?;
        let server = TestServer::start(server);
        let mut client = server.client();
        client.send_in_pieces("Ada\n", &[1, 3])?;
        assert_eq!(client.readline()?, b"hello, Ada\n");
        Ok(())
    }

    #[test]
    fn two_clients_are_served_at_the_same_time() -> Result {
        let server = ThreadingTcpServer::bind("127.0.0.1:0", || Greeting)?;
        let server = TestServer::start(server);
        let mut first = server.client();
        let mut second = server.client();
        second.send_all("Bob\n")?;
        assert_eq!(second.readline()?, b"hello, Bob\n");
        first.send_all("Ada\n")?;
        assert_eq!(first.readline()?, b"hello, Ada\n");
        drop(first);
        wait_until("the first client has left", || server.stats().active == 1);
        Ok(())
    }

    #[test]
    fn a_long_line_ends_the_conversation() -> Result {
        let server = ThreadingTcpServer::bind("127.0.0.1:0", || Greeting)?;
        let server = TestServer::start(server);
        let mut client = server.client();
        client.send_all([b'x'; 2000])?;
        assert_eq!(client.rest()?, b"");
        server.expect_failures(1);
        Ok(())
    }
}

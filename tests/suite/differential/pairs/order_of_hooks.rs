use crate::differential::server::*;

struct Talking;

impl Service<TcpRequest> for Talking {
    type Handler = Talks;

    fn request_handler(self: &Arc<Self>) -> Talks {
        Talks
    }

    fn verify_request(&self, _: &TcpRequest) -> bool {
        println!("verify_request");
        true
    }
}

struct Talks;

impl RequestHandler<TcpRequest> for Talks {
    fn setup(&mut self, _: &mut TcpRequest) -> Result {
        println!("setup");
        Ok(())
    }

    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        println!("handle");
        let line = request.readline(100)?;
        request.send_all(b"ok\n")?;
        if line == b"fail\n" {
            return Err("as you wish".into());
        }
        println!("handled");
        Ok(())
    }

    fn finish(&mut self, _: &mut TcpRequest) -> Result {
        println!("finish");
        Ok(())
    }
}

pair!(serve(TcpServer::bind(host(), Talking)?));

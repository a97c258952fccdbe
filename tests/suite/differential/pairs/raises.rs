use crate::differential::server::*;

#[derive(Default)]
struct Fails {
    stages: String,
}

impl Fails {
    fn pass_through(&self, request: &mut TcpRequest, stage: &str) -> Result {
        writeln!(request, "{stage}")?;
        if self.stages.contains(stage) {
            return Err(format!("no {stage}").into());
        }
        Ok(())
    }
}

impl RequestHandler<TcpRequest> for Fails {
    fn setup(&mut self, request: &mut TcpRequest) -> Result {
        self.stages = String::from_utf8(request.readline(100)?)?;
        self.pass_through(request, "setup")
    }

    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        self.pass_through(request, "handle")
    }

    fn finish(&mut self, request: &mut TcpRequest) -> Result {
        self.pass_through(request, "finish")
    }
}

pair!(serve(TcpServer::bind(host(), Fails::default)?));

use crate::differential::server::*;
use std::sync::Mutex;

#[derive(Default)]
struct Counting {
    served: Mutex<Vec<String>>,
}

impl Service<TcpRequest> for Counting {
    type Handler = Echo;

    fn request_handler(self: &Arc<Self>) -> Echo {
        Echo(Arc::clone(self))
    }

    fn service_actions(&self) {
        while let Some(line) = self.served.lock().unwrap().pop() {
            println!("after {line}");
        }
    }
}

struct Echo(Arc<Counting>);

impl RequestHandler<TcpRequest> for Echo {
    fn handle(&mut self, request: &mut TcpRequest) -> Result {
        let line = request.readline(100)?;
        let text = String::from_utf8(line.clone())?.trim().to_owned();
        self.0.served.lock().unwrap().push(text);
        Ok(request.send_all(&line)?)
    }
}

pair!(serve(TcpServer::bind(host(), Counting::default())?));

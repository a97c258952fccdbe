use crate::differential::server::*;

fn slow(request: &mut UdpRequest) -> Result {
    let packet = request.packet().to_vec();
    if packet == b"wait" {
        println!("waiting");
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    Ok(request.send_all(&packet)?)
}

pair!(serve(UdpServer::bind(host(), handler_fn(slow))?));

use crate::differential::server::*;
use std::io::BufWriter;

fn buffered(request: &mut TcpRequest) -> Result {
    let (reader, writer) = request.split();
    let mut writer = BufWriter::new(writer);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    writer.write_all(line.as_bytes())?;
    writer.flush()?;
    for line in reader.lines() {
        writeln!(writer, "{}", line?)?;
    }
    Ok(writer.flush()?)
}

pair!(serve(TcpServer::bind(host(), handler_fn(buffered))?));

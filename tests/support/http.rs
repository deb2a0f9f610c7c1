//! One GET over HTTP, as a browser or a scraper does it.

use std::{error::Error, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);

/// Asks for a path: status and body.
///
/// # Errors
/// Where there is no whole answer.
pub async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, String), String> {
    let (status, body) = ask(address, path, &[("accept-encoding", "identity")]).await?;
    Ok((status, String::from_utf8(body.into()).map_err(|error| error.to_string())?))
}

/// Asks for a path with these headers: status and body, as it came.
///
/// # Errors
/// Where there is no whole answer.
pub async fn ask(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(StatusCode, Bytes), String> {
    let answer = timeout(REQUEST, request(address, path, headers)).await;
    answer.map_err(|_| format!("no answer within {REQUEST:?}"))?.map_err(|error| error.to_string())
}

async fn request(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(StatusCode, Bytes), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::get(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.await??;
    Ok((status, body))
}

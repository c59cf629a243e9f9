//! Requests that no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Opens a connection and sends `bytes`.
pub fn send(to: SocketAddr, bytes: &str) -> TcpStream {
    let mut connection = TcpStream::connect(to).unwrap();
    connection.write_all(bytes.as_bytes()).unwrap();
    connection
}

/// All that arrives until the service closes the connection; fails if it is still open after `limit`.
pub fn rest(mut connection: TcpStream, limit: Duration) -> String {
    connection.set_read_timeout(Some(limit)).unwrap();
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was open after {limit:?}: {error}"),
    }
    String::from_utf8(answer).unwrap()
}

/// Sends one request on its own connection, and returns all that comes back.
pub fn exchange(to: SocketAddr, request: &str) -> String {
    rest(send(to, request), Duration::from_secs(20))
}

/// Saves without the checking client: returns any answer, documented or not.
pub fn put(to: SocketAddr, name: &str, born: &str) -> String {
    let body = super::birthday(born);
    let head = format!("PUT /hello/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json");
    exchange(to, &format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

//! A client that asks one question by HTTP, of a port or of a socket in the file system.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

use crate::DEADLINE;

/// A server.
#[derive(Clone, Debug)]
pub enum Http {
    /// At a port, `127.0.0.1:9941`.
    Tcp(String),
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// What it answered.
#[derive(Debug)]
pub struct Answered {
    /// The status code.
    pub code: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A connection, as bytes.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Http {
    /// Connects.
    pub fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).expect("a server");
                stream.set_read_timeout(Some(DEADLINE)).expect("a time-out");
                Box::new(stream)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).expect("a server");
                stream.set_read_timeout(Some(DEADLINE)).expect("a time-out");
                Box::new(stream)
            }
        }
    }

    /// Asks, with these more headers, each with its line end.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answered {
        let mut stream = self.connect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .expect("a server that reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in time");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        Answered { code, head: head.to_owned(), body: body.to_owned() }
    }

    /// Gets.
    pub fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, "", "")
    }
}

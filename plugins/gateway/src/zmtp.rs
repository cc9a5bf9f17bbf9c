//! ZeroMQ's wire protocol, as far as a publisher without security needs it: ZMTP 3.0 and 3.1 (RFC 23 and 37) with the
//! mechanism NULL, and ZMTP 2.0 (RFC 15), which libzmq 3 speaks. ZMTP 1.0, of libzmq 2, is refused.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::memory::Memory;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The signature and the version of a greeting; what is behind depends on the other's version.
const OPENING: [u8; 11] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3];
const NULL: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03PUB";

/// Nothing that a subscriber has to say is longer.
const LONGEST: u64 = 8 * 1024;

/// A message, as it goes out to each who wants it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Both frames as on the wire, which is the same in each version.
    frames: Bytes,
    topic: (usize, usize),
}

impl Outgoing {
    /// Puts the two frames of a message together.
    pub(crate) fn new(topic: &str, body: &[u8]) -> Self {
        let mut frames = BytesMut::with_capacity(topic.len() + body.len() + 18);
        put_frame(&mut frames, MORE, topic.as_bytes());
        let end = frames.len();
        put_frame(&mut frames, 0, body);
        Self { frames: frames.freeze(), topic: (end - topic.len(), end) }
    }

    /// The same, counted as long as it is somewhere.
    pub(crate) fn kept(self, memory: &Memory) -> Self {
        Self { frames: memory.keep(self.frames), ..self }
    }

    pub(crate) fn topic(&self) -> &[u8] {
        &self.frames[self.topic.0..self.topic.1]
    }

    pub(crate) fn frames(&self) -> &Bytes {
        &self.frames
    }
}

/// What a subscriber says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Subscribe(Vec<u8>),
    Cancel(Vec<u8>),
    /// It wants to know whether this end lives; the answer is [`pong`] with the same context.
    Ping(Vec<u8>),
    /// Something that a publisher need not know.
    Other,
}

/// Why one does not talk with the other end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("it does not speak ZeroMQ's protocol, or a version before 2.0")]
    Foreign,
    #[error("it asks for security mechanism {0:?}, and there is none here")]
    Mechanism(String),
    #[error("it is no SUB or XSUB socket")]
    NoSubscriber,
    #[error("it sends a frame of {0} bytes")]
    TooLong(u64),
    #[error("it closed the connection with an error: {0}")]
    Refused(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Greets the other end, and makes sure that it is a subscriber.
pub(crate) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), ProtocolError> {
    stream.write_all(&OPENING).await?;
    let mut opening = [0; OPENING.len()];
    stream.read_exact(&mut opening[..1]).await?;
    if opening[0] != 0xff {
        return Err(ProtocolError::Foreign);
    }
    stream.read_exact(&mut opening[1..]).await?;
    if opening[9] & 1 == 0 {
        return Err(ProtocolError::Foreign);
    }
    match opening[10] {
        0 => Err(ProtocolError::Foreign),
        1 | 2 => greet_2(stream).await,
        _ => greet_3(stream).await,
    }
}

/// ZMTP 2.0: the types of the sockets, and identities, which mean nothing here.
async fn greet_2(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), ProtocolError> {
    const PUB: u8 = 1;
    const SUB: u8 = 2;
    const XSUB: u8 = 10;
    let identity = [0, 0];
    stream.write_all(&[PUB, identity[0], identity[1]]).await?;
    if !matches!(stream.read_u8().await?, SUB | XSUB) {
        return Err(ProtocolError::NoSubscriber);
    }
    read_frame(stream).await.map(drop)
}

/// ZMTP 3: the mechanism, then what each end says of itself.
async fn greet_3(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), ProtocolError> {
    const MINOR: u8 = 1;
    let mut rest = [0; 53];
    rest[0] = MINOR;
    rest[1..21].copy_from_slice(NULL);
    stream.write_all(&rest).await?;
    stream.read_exact(&mut rest).await?;
    if rest[1..21] != *NULL {
        let name = rest[1..21].split(|byte| *byte == 0).next().unwrap_or_default();
        return Err(ProtocolError::Mechanism(String::from_utf8_lossy(name).into_owned()));
    }
    let mut ready = BytesMut::new();
    put_frame(&mut ready, COMMAND, READY);
    stream.write_all(&ready).await?;
    let (flags, body) = read_frame(stream).await?;
    match command(flags, &body) {
        Some((b"READY", properties)) if is_subscriber(properties) => Ok(()),
        Some((b"READY", _)) => {
            let mut error = BytesMut::new();
            put_frame(&mut error, COMMAND, b"\x05ERROR\x13Invalid socket type");
            stream.write_all(&error).await?;
            Err(ProtocolError::NoSubscriber)
        }
        Some((b"ERROR", reason)) => Err(refused(reason)),
        _ => Err(ProtocolError::Foreign),
    }
}

fn refused(reason: &[u8]) -> ProtocolError {
    ProtocolError::Refused(String::from_utf8_lossy(reason.get(1..).unwrap_or_default()).into_owned())
}

/// Looks for `Socket-Type` in the properties of READY: a name with its length in a byte, a value with its in four.
fn is_subscriber(mut properties: &[u8]) -> bool {
    while let Some((len, rest)) = properties.split_first() {
        let Some((name, rest)) = rest.split_at_checked(usize::from(*len)) else { return false };
        let Some((len, rest)) = rest.split_first_chunk() else { return false };
        let len = u32::from_be_bytes(*len) as usize;
        let Some((value, rest)) = rest.split_at_checked(len) else { return false };
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            return matches!(value, b"SUB" | b"XSUB");
        }
        properties = rest;
    }
    false
}

/// Reads the next thing that a subscriber says. In ZMTP 3.1 subscriptions are commands, before they were messages.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, ProtocolError> {
    let (flags, body) = read_frame(stream).await?;
    if flags & COMMAND == 0 {
        return Ok(match body.split_first() {
            Some((1, prefix)) => Said::Subscribe(prefix.to_owned()),
            Some((0, prefix)) => Said::Cancel(prefix.to_owned()),
            _ => Said::Other,
        });
    }
    Ok(match command(flags, &body).ok_or(ProtocolError::Foreign)? {
        (b"SUBSCRIBE", prefix) => Said::Subscribe(prefix.to_owned()),
        (b"CANCEL", prefix) => Said::Cancel(prefix.to_owned()),
        // Behind two bytes of how long it will wait.
        (b"PING", rest) => Said::Ping(rest.get(2..).unwrap_or_default().to_owned()),
        (b"ERROR", reason) => return Err(refused(reason)),
        _ => Said::Other,
    })
}

/// The answer to a ping.
pub(crate) fn pong(context: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    put_frame(&mut frame, COMMAND, &[b"\x04PONG", context].concat());
    frame.freeze()
}

/// Name and data of a command.
fn command(flags: u8, body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_first().filter(|_| flags & COMMAND != 0)?;
    rest.split_at_checked(usize::from(*len))
}

fn put_frame(out: &mut BytesMut, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(len) => out.put_slice(&[flags, len]),
        Err(_) => {
            out.put_u8(flags | LONG);
            out.put_u64(body.len() as u64);
        }
    }
    out.put_slice(body);
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<(u8, Vec<u8>), ProtocolError> {
    let flags = stream.read_u8().await?;
    let len = if flags & LONG == 0 { stream.read_u8().await?.into() } else { stream.read_u64().await? };
    let size = usize::try_from(len).ok().filter(|_| len <= LONGEST).ok_or(ProtocolError::TooLong(len))?;
    let mut body = vec![0; size];
    stream.read_exact(&mut body).await?;
    Ok((flags, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// What comes of a subscriber that says `said` and then hangs up; what it is told; and what it says then.
    fn talk(said: &[u8]) -> (Result<(), ProtocolError>, Vec<u8>, Vec<Said>) {
        block_on(async {
            let (mut here, mut there) = duplex(4096);
            there.write_all(said).await.unwrap();
            there.shutdown().await.unwrap();
            let greeted = greet(&mut here).await;
            let mut heard = Vec::new();
            while greeted.is_ok()
                && let Ok(said) = read(&mut here).await
            {
                heard.push(said);
            }
            drop(here);
            let mut told = Vec::new();
            there.read_to_end(&mut told).await.unwrap();
            (greeted, told, heard)
        })
    }

    fn opening(major: u8) -> Vec<u8> {
        [&OPENING[..10], &[major]].concat()
    }

    fn version_3(kind: &str, rest: &[u8]) -> Vec<u8> {
        let mut said = opening(3);
        said.extend([&[0][..], NULL, &[0; 32]].concat());
        let properties = [b"\x05READY\x0bSocket-Type\0\0\0", &[kind.len() as u8][..], kind.as_bytes()];
        let mut ready = BytesMut::new();
        put_frame(&mut ready, COMMAND, &[properties.concat(), b"\x08Identity\0\0\0\0".to_vec()].concat());
        said.extend(ready);
        said.extend(rest);
        said
    }

    #[test]
    fn version_3_subscribes_by_messages_and_by_commands() {
        let said = version_3("SUB", b"\0\x04\x01org\x04\x0c\x09SUBSCRIBEgi\x04\x08\x06CANCELx\0\x02\0y");
        let (greeted, told, heard) = talk(&said);
        greeted.unwrap();
        assert!(
            told.starts_with(&OPENING) && told.ends_with(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB")
        );
        let (subscribe, cancel) = (|p: &str| Said::Subscribe(p.into()), |p: &str| Said::Cancel(p.into()));
        assert_eq!(heard, [subscribe("org"), subscribe("gi"), cancel("x"), cancel("y")]);
    }

    #[test]
    fn version_2_is_spoken_with_too() {
        let said = [&opening(1)[..], b"\x02\0\0\0\x04\x01org"].concat();
        let (greeted, told, heard) = talk(&said);
        greeted.unwrap();
        assert_eq!(told, [&OPENING[..], &[1, 0, 0]].concat());
        assert_eq!(heard, [Said::Subscribe("org".into())]);
    }

    #[test]
    fn a_ping_has_its_context_in_the_answer() {
        let (_, _, heard) = talk(&version_3("XSUB", b"\x04\x0a\x04PING\0\x64abc\x04\x05\x04PONG"));
        assert_eq!(heard, [Said::Ping(b"abc".to_vec()), Said::Other]);
        assert_eq!(pong(b"abc"), &b"\x04\x08\x04PONGabc"[..]);
    }

    #[test]
    fn who_is_no_subscriber_is_refused() {
        assert!(matches!(talk(&version_3("PUB", b"")).0, Err(ProtocolError::NoSubscriber)));
        assert!(matches!(talk(&[&opening(1)[..], b"\x01"].concat()).0, Err(ProtocolError::NoSubscriber)));
        assert!(matches!(talk(b"GET / HTTP/1.1\r\n\r\n").0, Err(ProtocolError::Foreign)));
        assert!(matches!(talk(b"\x01\0").0, Err(ProtocolError::Foreign)));
        let mut curve = version_3("SUB", b"");
        curve[12..17].copy_from_slice(b"CURVE");
        assert!(matches!(talk(&curve).0, Err(ProtocolError::Mechanism(name)) if name == "CURVE"));
        assert!(matches!(talk(b"").0, Err(ProtocolError::Io(_))));
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_read() {
        let long = [&[LONG][..], &u64::MAX.to_be_bytes()].concat();
        let error = block_on(read(&mut &long[..])).unwrap_err();
        assert!(matches!(error, ProtocolError::TooLong(u64::MAX)), "{error}");
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic() {
        let whole = version_3("SUB", b"\x04\x0a\x04PING\0\x64abc\0\x04\x01org");
        for end in 0..whole.len() {
            drop(talk(&whole[..end]));
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[end] = byte;
                drop(talk(&changed));
            }
        }
    }

    #[test]
    fn frames_are_written_short_and_long() {
        let message = Outgoing::new("a.b", b"{}");
        assert_eq!((message.topic(), &message.frames()[..]), (&b"a.b"[..], &b"\x01\x03a.b\0\x02{}"[..]));
        let message = Outgoing::new("a", &[b' '; 256]);
        assert_eq!(message.frames()[..12], *b"\x01\x01a\x02\0\0\0\0\0\0\x01\0");
    }
}

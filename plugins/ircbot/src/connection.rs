//! The bot's connections: made, kept up, spoken over, and made again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use irc_proto::Command;
use plugin_api::tracing;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_native_tls::{TlsConnector, native_tls};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Framed};

use crate::backoff::Backoff;
use crate::bot::Bot;
use crate::colour::Palette;
use crate::line::{Line, Text};
use crate::queue::Total;
use crate::session::{self, Identity, Place, Session, SessionError};
use crate::shorten::Shortener;

/// With IRCv3's tags a line has 8,703 bytes at most; who sends longer ones does not speak IRC.
const LONGEST_RECEIVED: usize = 16 * 1024;
/// How long a stop may take to say what waits.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What a connection needs to know.
pub(crate) struct Settings {
    pub(crate) network: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<TlsConnector>,
    pub(crate) identity: Identity,
    /// Before the first attempt.
    pub(crate) delay: Duration,
    pub(crate) line_rate: Duration,
    pub(crate) timeout: Duration,
    pub(crate) reconnect_wait: Duration,
    /// `None` says everything without colours.
    pub(crate) palette: Option<Arc<Palette>>,
    pub(crate) shortener: Option<Shortener>,
}

/// Why a connection ended, or did not come about.
#[derive(Debug, Error)]
enum ConnectionError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] native_tls::Error),
    #[error("nothing is heard for {0:?}")]
    Silence(Duration),
    #[error("still {0:?} after {1:?}")]
    Stuck(Place, Duration),
    #[error("the server closed the connection")]
    End,
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<AnyDelimiterCodecError> for ConnectionError {
    fn from(error: AnyDelimiterCodecError) -> Self {
        match error {
            AnyDelimiterCodecError::Io(error) => error.into(),
            other => io::Error::new(io::ErrorKind::InvalidData, other).into(),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
type Lines = Framed<Box<dyn Stream>, AnyDelimiterCodec>;

/// Keeps a channel's bot connected until the stop, which it survives by a few last words.
pub(crate) async fn run(settings: Settings, bot: Arc<Bot>, mut stop: watch::Receiver<bool>) {
    let mut backoff = Backoff::new(settings.reconnect_wait);
    let mut wait = settings.delay;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut stop) => break,
        }
        let mut connection =
            Connection { settings: &settings, bot: &bot, backoff: &mut backoff, warned: false };
        match connection.keep(&mut stop).await {
            Ok(()) => break,
            Err(error) => {
                wait = backoff.next();
                tracing::warn!(channel = bot.name, %error, retry_in = ?wait, "not connected");
            }
        }
    }
    let (Total { queued, left_out, too_old, unheard }, unsaid) = bot.conclude();
    tracing::info!(channel = bot.name, queued, left_out, too_old, unheard, unsaid, "left IRC");
}

/// Comes back when the bot shall stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // That nobody is left to say so means the same.
    stop.wait_for(|stop| *stop).await.ok();
}

struct Connection<'c> {
    settings: &'c Settings,
    bot: &'c Bot,
    backoff: &'c mut Backoff,
    /// Whether it is said already that the channel does not take what the bot says.
    warned: bool,
}

impl Connection<'_> {
    /// Connects and converses; comes back without an error at the stop alone.
    async fn keep(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), ConnectionError> {
        let Settings { timeout: limit, .. } = *self.settings;
        let lines = tokio::select! {
            lines = timeout(limit, self.connect()) => {
                lines.map_err(|_| ConnectionError::Silence(limit))??
            }
            () = stopped(stop) => return Ok(()),
        };
        self.converse(lines, stop).await
    }

    async fn connect(&self) -> Result<Lines, ConnectionError> {
        let Settings { network, port, tls, .. } = self.settings;
        let stream = TcpStream::connect((network.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            Some(tls) => Box::new(tls.connect(network, stream).await?),
            None => Box::new(stream),
        };
        let codec =
            AnyDelimiterCodec::new_with_max_length(b"\r\n".to_vec(), b"\r\n".to_vec(), LONGEST_RECEIVED);
        Ok(Framed::new(stream, codec))
    }

    async fn converse(
        &mut self,
        mut lines: Lines,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), ConnectionError> {
        let (mut session, first) = Session::begin(&self.settings.identity);
        self.send(&mut lines, first).await?;
        let silence = self.settings.timeout;
        let mut heard = Instant::now();
        let mut moved = heard;
        let mut pinged = false;
        let mut next_line = heard;
        let mut next_join = None;
        let mut end = None;
        loop {
            let speaks = session.place() == Place::Ready;
            if end.is_some() && (!speaks || !self.bot.is_behind()) {
                return self.quit(&mut lines).await;
            }
            tokio::select! {
                received = lines.next() => {
                    let line = received.ok_or(ConnectionError::End)??;
                    (heard, pinged) = (Instant::now(), false);
                    let before = session.place();
                    // A line that is none, or of a form that nobody knows, is nobody's concern.
                    if let Some(message) = session::parse(&String::from_utf8_lossy(&line)) {
                        let answers = session.receive(&message)?;
                        self.send(&mut lines, answers).await?;
                    }
                    if let Some(reason) = session.take_unheard() {
                        self.unheard(&reason);
                    }
                    if session.place() != before {
                        moved = heard;
                    }
                    match session.place() {
                        place if place == before => {}
                        Place::Refused => next_join = Some(Instant::now() + self.backoff.next()),
                        Place::Ready => {
                            self.backoff.succeeded();
                            tracing::info!(
                                channel = self.bot.name, nickname = session.nickname(),
                                colours = session.colours(), "joined"
                            );
                        }
                        _ => {}
                    }
                }
                next = async { sleep_until(next_line).await; self.bot.next().await }, if speaks => {
                    let said = session.say(&self.render(&next.line, session.colours()).await);
                    if let Err(error) = self.send(&mut lines, vec![said]).await {
                        self.bot.put_back(next);
                        return Err(error);
                    }
                    next_line = Instant::now() + self.settings.line_rate;
                }
                () = sleep_until(heard + silence / 2), if !pinged => {
                    pinged = true;
                    self.send(&mut lines, session.ping()).await?;
                }
                () = sleep_until(heard + silence) => return Err(ConnectionError::Silence(silence)),
                () = sleep_until(moved + silence), if session.place().is_passing() => {
                    return Err(ConnectionError::Stuck(session.place(), silence));
                }
                () = async { sleep_until(next_join.unwrap_or(heard)).await }, if next_join.is_some() => {
                    next_join = None;
                    moved = Instant::now();
                    let join = session.join();
                    self.send(&mut lines, vec![join]).await?;
                }
                () = stopped(stop), if end.is_none() => {
                    end = Some(Instant::now() + LAST_WORDS);
                }
                () = async { sleep_until(end.unwrap_or(heard)).await }, if end.is_some() => {
                    return self.quit(&mut lines).await;
                }
            }
        }
    }

    fn unheard(&mut self, reason: &str) {
        self.bot.count_unheard();
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(channel = self.bot.name, reason, "the channel does not take what the bot says");
        }
    }

    async fn render(&self, line: &Line, colours: bool) -> String {
        let palette = self.settings.palette.as_deref().filter(|_| colours);
        match (&self.settings.shortener, line) {
            (Some(shortener), Line { text: Text::Terse { title, subtitle, link: Some(link) }, .. }) => {
                Line::terse(title, subtitle, Some(&shortener.shorten(link).await)).render(palette)
            }
            _ => line.render(palette),
        }
    }

    async fn send(&self, lines: &mut Lines, commands: Vec<Command>) -> Result<(), ConnectionError> {
        let limit = self.settings.timeout;
        for command in &commands {
            timeout(limit, lines.send(String::from(command)))
                .await
                .map_err(|_| ConnectionError::Silence(limit))??;
        }
        Ok(())
    }

    /// Takes leave. That the server is gone already is no failure.
    async fn quit(&self, lines: &mut Lines) -> Result<(), ConnectionError> {
        let quit = Command::QUIT(Some("stopped".to_owned()));
        drop(timeout(Duration::from_secs(1), lines.send(String::from(&quit))).await);
        Ok(())
    }
}

//! What is said between the bot and the server, by the rules of IRC. No sockets, no clock: lines in, lines out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use irc_proto::{CapSubCommand, ChannelMode, Command, Message, Mode, Prefix};
use plugin_api::tracing;
use thiserror::Error;

use crate::config::{Auth, Login, Method};
use crate::line::fitted;

/// Who the bot is, and where it wants to be.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) nickname: String,
    pub(crate) channel: String,
    pub(crate) channel_key: Option<String>,
    pub(crate) login: Option<Login>,
    pub(crate) method: Method,
}

/// Why a session cannot go on.
#[derive(Debug, Error)]
pub(crate) enum SessionError {
    /// The server closes the connection.
    #[error("the server ends the connection: {0}")]
    Closed(String),
    /// The server has no SASL, or not of this kind, or the password is wrong.
    #[error("SASL fails: {0}")]
    Sasl(String),
    /// The nickname cannot be had, nor those made from it.
    #[error("the nickname {nickname} is refused: {reason}")]
    Nickname {
        /// The one that was tried last.
        nickname: String,
        /// The server's words.
        reason: String,
    },
    /// The server wants a password, or bans the bot.
    #[error("the server refuses the bot: {0}")]
    Refused(String),
}

/// Where the bot is on its way onto the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not known to the server yet.
    Outside,
    /// Known, and about to join.
    Joining,
    /// Not on the channel: refused or kicked.
    Refused,
    /// On the channel, whose modes are not known yet.
    Joined,
    /// On the channel, and may speak.
    Ready,
}

impl Place {
    /// Whether the server's next answer should lead away from here.
    pub(crate) fn is_passing(self) -> bool {
        matches!(self, Self::Outside | Self::Joining | Self::Joined)
    }
}

/// One connection's conversation.
#[derive(Debug)]
pub(crate) struct Session<'i> {
    identity: &'i Identity,
    nickname: String,
    place: Place,
    colours: bool,
    /// Why the server did not pass on a line.
    unheard: Option<String>,
}

/// A nickname that is taken gets so many underscores, one at a time.
const UNDERSCORES: usize = 3;
/// The most bytes of a line of IRC, without its end.
const LONGEST_LINE: usize = 510;
/// What others see as the sender of a line is at most `:nickname!user@host `, with a user of 10 and a host of 63
/// bytes; a server cuts the line if it gets too long by it.
const USER_AND_HOST: usize = 1 + 1 + 10 + 1 + 63 + 1;

impl<'i> Session<'i> {
    /// The beginning: what to send first.
    pub(crate) fn begin(identity: &'i Identity) -> (Self, Vec<Command>) {
        let mut first = Vec::new();
        match &identity.login {
            Some(login) if login.to == Auth::Server => {
                first.push(Command::PASS(login.password.expose().to_owned()));
            }
            Some(login) if login.to == Auth::Sasl => first.push(cap(CapSubCommand::REQ, Some("sasl"))),
            _ => {}
        }
        first.push(Command::NICK(identity.nickname.clone()));
        first.push(Command::USER("fedmsg".to_owned(), "0".to_owned(), "fedmsg bot".to_owned()));
        let nickname = identity.nickname.clone();
        (Self { identity, nickname, place: Place::Outside, colours: true, unheard: None }, first)
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Whether the channel takes colours (it has no mode +c).
    pub(crate) fn colours(&self) -> bool {
        self.colours
    }

    pub(crate) fn nickname(&self) -> &str {
        &self.nickname
    }

    /// Why the server did not pass on a line, if it has just said so.
    pub(crate) fn take_unheard(&mut self) -> Option<String> {
        self.unheard.take()
    }

    /// Another attempt to join.
    pub(crate) fn join(&mut self) -> Command {
        self.place = Place::Joining;
        Command::JOIN(self.identity.channel.clone(), self.identity.channel_key.clone(), None)
    }

    /// The command that says a line on the channel, cut so that all of it arrives.
    pub(crate) fn say(&self, line: &str) -> Command {
        let (channel, command) = (self.identity.channel.clone(), self.identity.method);
        let longest_command = "PRIVMSG".len() + 1 + channel.len() + " :".len();
        let room = LONGEST_LINE.saturating_sub(self.nickname.len() + USER_AND_HOST + longest_command);
        let line = fitted(line, room).into_owned();
        match command {
            Method::Notice => Command::NOTICE(channel, line),
            Method::Msg => Command::PRIVMSG(channel, line),
        }
    }

    /// A sign of life that asks for one; and another attempt at the nickname, if it was taken.
    pub(crate) fn ping(&self) -> Vec<Command> {
        let mut commands = vec![Command::PING("fedmsg".to_owned(), None)];
        if self.place != Place::Outside && self.nickname != self.identity.nickname {
            commands.push(Command::NICK(self.identity.nickname.clone()));
        }
        commands
    }

    /// Takes what the server says; what to answer.
    pub(crate) fn receive(&mut self, message: &Message) -> Result<Vec<Command>, SessionError> {
        if let Some((number, arguments)) = numeric(&message.command) {
            return self.number(number, arguments);
        }
        let from_me = matches!(&message.prefix, Some(Prefix::Nickname(nick, _, _)) if self.is_me(nick));
        Ok(match &message.command {
            Command::PING(token, _) => vec![Command::PONG(token.clone(), None)],
            Command::ERROR(reason) => return Err(SessionError::Closed(reason.clone())),
            Command::CAP(_, CapSubCommand::ACK, ..) => vec![Command::AUTHENTICATE("PLAIN".to_owned())],
            Command::CAP(_, CapSubCommand::NAK, ..) => {
                return Err(SessionError::Sasl("the server does not know it".to_owned()));
            }
            Command::AUTHENTICATE(more) if more == "+" => self.credentials(),
            Command::NICK(nickname) if from_me => {
                self.nickname.clone_from(nickname);
                Vec::new()
            }
            Command::JOIN(channel, ..) if from_me && self.is_here(channel) => {
                self.place = Place::Joined;
                vec![Command::ChannelMODE(channel.clone(), Vec::new())]
            }
            Command::KICK(channel, nickname, reason) if self.is_here(channel) && self.is_me(nickname) => {
                self.out("kicked", reason.as_deref().unwrap_or_default());
                Vec::new()
            }
            Command::PART(channel, _) if from_me && self.is_here(channel) => {
                self.out("made to leave", "");
                Vec::new()
            }
            Command::ChannelMODE(channel, changes) if self.is_here(channel) => {
                for change in changes {
                    match change {
                        Mode::Plus(ChannelMode::Unknown('c'), _) => self.colours = false,
                        Mode::Minus(ChannelMode::Unknown('c'), _) => self.colours = true,
                        _ => {}
                    }
                }
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    fn number(&mut self, number: u16, arguments: &[String]) -> Result<Vec<Command>, SessionError> {
        let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
        let reason = || format!("{} ({number})", arguments.last().map_or("", String::as_str));
        match number {
            1 => {
                argument(0).clone_into(&mut self.nickname);
                self.place = Place::Joining;
            }
            // The end of the message of the day, or that there is none: now the server listens.
            376 | 422 if self.place == Place::Joining => {
                let mut commands = self.identify();
                commands.push(self.join());
                return Ok(commands);
            }
            324 if self.is_here(argument(1)) => {
                self.colours = !argument(2).contains('c');
                if self.place == Place::Joined {
                    self.place = Place::Ready;
                }
            }
            903 => return Ok(vec![cap(CapSubCommand::END, None)]),
            902 | 904..=906 | 908 => return Err(SessionError::Sasl(reason())),
            433 | 436 | 437 if self.place == Place::Outside => return self.next_nickname(&reason()),
            431 | 432 if self.place == Place::Outside => {
                return Err(SessionError::Nickname { nickname: self.nickname.clone(), reason: reason() });
            }
            464 | 465 => return Err(SessionError::Refused(reason())),
            404 if self.is_here(argument(1)) => self.unheard = Some(reason()),
            400.. if self.place == Place::Joining && self.is_here(argument(1)) => {
                self.out("not let in", &reason());
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    fn out(&mut self, how: &str, reason: &str) {
        tracing::warn!(channel = self.identity.channel, reason, "{how}; joining again");
        self.place = Place::Refused;
    }

    fn next_nickname(&mut self, reason: &str) -> Result<Vec<Command>, SessionError> {
        if self.nickname.len() >= self.identity.nickname.len() + UNDERSCORES {
            let nickname = self.nickname.clone();
            return Err(SessionError::Nickname { nickname, reason: reason.to_owned() });
        }
        self.nickname.push('_');
        Ok(vec![Command::NICK(self.nickname.clone())])
    }

    /// RFC 4616: authorised as nobody else, the account, the password; in pieces of 400 bytes, the last one shorter.
    fn credentials(&self) -> Vec<Command> {
        let Some(login) = &self.identity.login else { return Vec::new() };
        let encoded = BASE64_STANDARD.encode(format!("\0{}\0{}", login.account, login.password.expose()));
        let mut pieces: Vec<_> =
            encoded.as_bytes().chunks(400).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
        if encoded.len() % 400 == 0 {
            pieces.push("+".to_owned());
        }
        pieces.into_iter().map(Command::AUTHENTICATE).collect()
    }

    fn identify(&self) -> Vec<Command> {
        let login = self.identity.login.iter().filter(|login| login.to == Auth::Nickserv);
        login
            .map(|login| {
                let words = format!("IDENTIFY {} {}", login.account, login.password.expose());
                Command::PRIVMSG("NickServ".to_owned(), words)
            })
            .collect()
    }

    fn is_me(&self, nickname: &str) -> bool {
        nickname.eq_ignore_ascii_case(&self.nickname)
    }

    fn is_here(&self, channel: &str) -> bool {
        channel.eq_ignore_ascii_case(&self.identity.channel)
    }
}

fn cap(what: CapSubCommand, which: Option<&str>) -> Command {
    Command::CAP(None, what, None, which.map(str::to_owned))
}

/// A line of the server's; `None` if it is of a form that nobody knows. The library reads `+1` and `0001` as the reply 001,
/// which has three digits.
pub(crate) fn parse(line: &str) -> Option<Message> {
    let command = line.split(' ').find(|word| !word.starts_with(['@', ':']))?;
    let is_number = command.parse::<u16>().is_ok();
    let is_reply = command.len() == 3 && !command.starts_with('+');
    if is_number && !is_reply { None } else { line.parse().ok() }
}

/// A reply by number, whether the library has a name for it or not.
fn numeric(command: &Command) -> Option<(u16, &[String])> {
    match command {
        Command::Response(response, arguments) => Some((*response as u16, arguments)),
        Command::Raw(number, arguments) => Some((number.parse().ok()?, arguments)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

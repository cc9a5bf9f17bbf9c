use super::*;
use crate::config::Method;

fn identity(login: Option<(Auth, &str)>) -> Identity {
    let login = login.map(|(to, password)| {
        let password = password.to_owned().try_into().unwrap();
        Login { to, account: "acc".into(), password }
    });
    Identity {
        nickname: "bot".into(),
        channel: "#Bus".into(),
        channel_key: Some("key".into()),
        login,
        method: Method::Notice,
    }
}

fn lines(commands: &[Command]) -> Vec<String> {
    commands.iter().map(String::from).collect()
}

fn hear(session: &mut Session<'_>, line: &str) -> Vec<String> {
    lines(&session.receive(&parse(line).unwrap()).unwrap())
}

fn error(session: &mut Session<'_>, line: &str) -> String {
    session.receive(&parse(line).unwrap()).unwrap_err().to_string()
}

/// A session that may speak.
fn ready(identity: &Identity) -> Session<'_> {
    let (mut session, _) = Session::begin(identity);
    hear(&mut session, ":s 001 bot :Welcome");
    assert_eq!(hear(&mut session, ":s 422 bot :no motd"), ["JOIN #Bus key"]);
    assert_eq!(hear(&mut session, ":bot!u@h JOIN :#bus"), ["MODE #bus "]);
    assert_eq!(session.place(), Place::Joined);
    hear(&mut session, ":s 324 bot #bus +nt");
    assert_eq!(session.place(), Place::Ready);
    session
}

#[test]
fn without_a_password_it_registers_and_joins() {
    let identity = identity(None);
    let (_, first) = Session::begin(&identity);
    assert_eq!(lines(&first), ["NICK bot", "USER fedmsg 0 * :fedmsg bot"]);
    assert!(ready(&identity).colours());
}

#[test]
fn the_servers_password_comes_first() {
    let identity = identity(Some((Auth::Server, "secret")));
    assert_eq!(lines(&Session::begin(&identity).1)[0], "PASS secret");
}

#[test]
fn sasl_goes_before_the_registration() {
    let identity = identity(Some((Auth::Sasl, "secret")));
    let (mut session, first) = Session::begin(&identity);
    assert_eq!(lines(&first)[0], "CAP REQ sasl");
    assert_eq!(hear(&mut session, ":s CAP * ACK :sasl"), ["AUTHENTICATE PLAIN"]);
    assert_eq!(hear(&mut session, "AUTHENTICATE +"), ["AUTHENTICATE AGFjYwBzZWNyZXQ="]);
    assert_eq!(hear(&mut session, ":s 903 bot :good"), ["CAP END"]);
    assert_eq!(
        error(&mut session, ":s 904 bot :SASL authentication failed"),
        "SASL fails: SASL authentication failed (904)"
    );
    assert!(error(&mut session, ":s CAP * NAK :sasl").starts_with("SASL fails"));
}

#[test]
fn long_credentials_go_in_pieces_and_end_with_a_short_one() {
    // 5 bytes for the account and the zeros: 300 in all are 400 in base64.
    for (length, pieces) in [(292, vec![396]), (295, vec![400, 1]), (296, vec![400, 4])] {
        let identity = identity(Some((Auth::Sasl, &"x".repeat(length))));
        let (mut session, _) = Session::begin(&identity);
        let sent = hear(&mut session, "AUTHENTICATE +");
        let lengths: Vec<_> = sent.iter().map(|line| line.len() - "AUTHENTICATE ".len()).collect();
        assert_eq!(lengths, pieces, "{length}");
    }
}

#[test]
fn nickserv_is_spoken_to_before_the_channel_is_joined() {
    let identity = identity(Some((Auth::Nickserv, "secret")));
    let (mut session, _) = Session::begin(&identity);
    hear(&mut session, ":s 001 bot :Welcome");
    assert_eq!(
        hear(&mut session, ":s 376 bot :End of MOTD"),
        ["PRIVMSG NickServ :IDENTIFY acc secret", "JOIN #Bus key"]
    );
}

#[test]
fn a_taken_nickname_gets_underscores_and_is_asked_for_again_later() {
    let identity = identity(None);
    let (mut session, _) = Session::begin(&identity);
    assert_eq!(hear(&mut session, ":s 433 * bot :in use"), ["NICK bot_"]);
    assert_eq!(hear(&mut session, ":s 433 * bot_ :in use"), ["NICK bot__"]);
    hear(&mut session, ":s 001 bot__ :Welcome");
    assert_eq!(lines(&session.ping()), ["PING fedmsg", "NICK bot"]);
    assert_eq!(hear(&mut session, ":s 433 bot__ bot :in use"), [""; 0]);
    hear(&mut session, ":bot__!u@h NICK :bot");
    assert_eq!(session.nickname(), "bot");
    assert_eq!(lines(&session.ping()), ["PING fedmsg"]);
}

#[test]
fn a_nickname_that_cannot_be_had_is_an_error() {
    let identity = identity(None);
    let (mut session, _) = Session::begin(&identity);
    for _ in 0..UNDERSCORES {
        hear(&mut session, ":s 433 * bot :in use");
    }
    assert_eq!(error(&mut session, ":s 433 * x :in use"), "the nickname bot___ is refused: in use (433)");
    let (mut session, _) = Session::begin(&identity);
    assert_eq!(error(&mut session, ":s 432 * bot :too long"), "the nickname bot is refused: too long (432)");
}

#[test]
fn a_ping_is_answered() {
    let identity = identity(None);
    assert_eq!(hear(&mut Session::begin(&identity).0, "PING :a b"), ["PONG :a b"]);
}

#[test]
fn a_reply_has_three_digits_and_no_sign() {
    for line in [":s +01 bot :Welcome", "@a=b :s +1 bot :Welcome", "1 bot", ":s 0001 bot :Welcome"] {
        assert!(parse(line).is_none(), "{line}");
    }
    let arguments = ["bot".to_owned(), "Welcome".to_owned()];
    for line in [":s 001 bot :Welcome", "@a=b :s 001 bot :Welcome", "001 bot :Welcome"] {
        assert_eq!(numeric(&parse(line).unwrap().command), Some((1, &arguments[..])), "{line}");
    }
}

#[test]
fn colours_follow_the_channels_mode() {
    let identity = identity(None);
    let mut session = ready(&identity);
    for (line, colours) in [
        (":op!u@h MODE #bus +mc", false),
        (":op!u@h MODE #bus -m", false),
        (":op!u@h MODE #bus -c", true),
        (":op!u@h MODE #other +c", true),
        (":s 324 bot #bus +cnt", false),
    ] {
        hear(&mut session, line);
        assert_eq!(session.colours(), colours, "{line}");
    }
}

#[test]
fn who_is_kicked_or_not_let_in_is_out_until_he_joins_again() {
    let identity = identity(None);
    let mut session = ready(&identity);
    hear(&mut session, ":op!u@h KICK #bus somebody :x");
    assert_eq!(session.place(), Place::Ready);
    hear(&mut session, ":op!u@h KICK #bus bot :x");
    assert_eq!(session.place(), Place::Refused);
    assert_eq!(lines(&[session.join()]), ["JOIN #Bus key"]);
    hear(&mut session, ":s 474 bot #bus :banned");
    assert_eq!(session.place(), Place::Refused);
}

#[test]
fn what_the_channel_does_not_take_is_told() {
    let identity = identity(None);
    let mut session = ready(&identity);
    hear(&mut session, ":s 404 bot #bus :Cannot send to channel");
    assert_eq!(session.take_unheard().unwrap(), "Cannot send to channel (404)");
    assert_eq!(session.take_unheard(), None);
}

#[test]
fn an_end_by_the_server_gives_its_reason() {
    let identity = identity(None);
    let mut session = ready(&identity);
    assert_eq!(
        error(&mut session, "ERROR :Closing link (K-lined)"),
        "the server ends the connection: Closing link (K-lined)"
    );
    assert_eq!(error(&mut session, ":s 465 bot :banned"), "the server refuses the bot: banned (465)");
}

#[test]
fn no_line_is_longer_than_irc_allows_for_whoever_gets_it() {
    let identity = identity(None);
    let session = ready(&identity);
    let said = String::from(&session.say(&"ž".repeat(600)));
    let longest_sender = format!(":bot!{}@{} ", "u".repeat(10), "h".repeat(63));
    assert!(longest_sender.len() + said.len() <= 510 && said.len() > 400, "{}", said.len());
    assert!(said.starts_with("NOTICE #Bus žž") && said.ends_with("ž…"));
}

#[test]
fn no_password_shows_when_it_is_logged() {
    let identity = identity(Some((Auth::Sasl, "secret")));
    assert!(!format!("{identity:?}").contains("secret"));
}

//! The IRC bot on a real network, seen by somebody else on the channel.

use std::net::TcpListener;

use e2e::{
    Cable, Http, Hub, HubBuilder, IrcServer, IrcUser, Process, Recorder, Scratch, TestPublisher, python,
    workspace,
};
use serde_json::json;

pub(crate) const LOG: &str = "org.fedoraproject.dev.logger.log";

/// A hub whose bot is on `#bus`, with these other keys for the bot, and for all bots.
fn hub<'s>(
    scratch: &'s Scratch,
    publisher: &TestPublisher,
    port: u16,
    entry: &str,
    all: &str,
) -> HubBuilder<'s> {
    with_bot(Hub::builder(scratch), publisher, port, entry, all)
}

fn with_bot<'s>(
    hub: HubBuilder<'s>,
    publisher: &TestPublisher,
    port: u16,
    entry: &str,
    all: &str,
) -> HubBuilder<'s> {
    let line_rate = if entry.contains("line_rate") { "" } else { "line_rate = 0" };
    hub.plugin("ircbot").subscribed_to(publisher).config(&format!(
        r#"
        [fedmsg.consumers.ircbot]
        enabled = true
        connect_interval = 0
        {all}
        [[fedmsg.consumers.ircbot.irc]]
        network = "localhost"
        port = {port}
        channel = "bus"
        nickname = "bot"
        reconnect_wait = 1
        {line_rate}
        {entry}
        "#
    ))
}

/// Somebody on `#bus`, and the bot there, too, and the hub subscribed.
struct Channel<'s> {
    user: IrcUser,
    publisher: TestPublisher,
    hub: Hub,
    _server: IrcServer<'s>,
}

impl<'s> Channel<'s> {
    fn open(scratch: &'s Scratch, entry: &str, all: &str) -> Self {
        Self::open_with(scratch, "", entry, all)
    }

    fn open_with(scratch: &'s Scratch, first: &str, entry: &str, all: &str) -> Self {
        let server = IrcServer::start(scratch);
        let mut user = IrcUser::join(scratch, &server, "watcher", "#bus");
        if !first.is_empty() {
            user.send(first);
        }
        let mut publisher = TestPublisher::default();
        let hub = hub(scratch, &publisher, server.port(), entry, all).start();
        publisher.wait_for_subscriber(LOG);
        user.wait_for_join("bot", 1);
        hub.log().wait_for("joined");
        Self { user, publisher, hub, _server: server }
    }

    fn log(&mut self, text: &str) {
        self.publisher.publish(LOG, &json!({"log": text}).to_string());
    }
}

#[test]
fn as_fedmsg_irc_the_hub_is_the_bot() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let bot = hub(&scratch, &publisher, server.port(), "make_terse = true", "").program("fedmsg-irc").start();
    publisher.wait_for_subscriber(LOG);
    user.wait_for_join("bot", 1);
    bot.log().wait_for("joined");
    publisher.publish(LOG, &json!({"log": "Hai there."}).to_string());
    assert!(user.wait_for_said(1)[0].1.contains("Hai there."));
}

/// An entry, whose other keys may follow.
pub(crate) fn entry(port: u16, nickname: &str) -> String {
    format!(
        r#"[[fedmsg.consumers.ircbot.irc]]
        network = "localhost"
        port = {port}
        channel = "bus"
        nickname = "{nickname}"
        reconnect_wait = 1
        line_rate = 0
        "#
    )
}

/// A hub with these entries alone.
pub(crate) fn bots<'s>(scratch: &'s Scratch, publisher: &TestPublisher, entries: &str) -> HubBuilder<'s> {
    Hub::builder(scratch)
        .plugin("ircbot")
        .subscribed_to(publisher)
        .config(&format!("[fedmsg.consumers.ircbot]\nenabled = true\nconnect_interval = 0\n{entries}"))
}

#[test]
fn a_channel_that_forbids_colours_gets_none() {
    let scratch = Scratch::new();
    let entry = "make_terse = true\nmake_pretty = true";
    let mut channel = Channel::open_with(&scratch, "MODE #bus +c", entry, "");
    channel.log("one");
    assert_eq!(channel.user.wait_for_text("one"), "logger.log -- one (test) ");
    channel.user.send("MODE #bus -c");
    // The bot hears of it some time later.
    let coloured = (0..1000).any(|n| {
        channel.log(&format!("again {n}."));
        channel.user.wait_for_text(&format!("again {n}.")).starts_with("\x0315logger.log\x03 -- ")
    });
    assert!(coloured);
}

#[test]
fn nothing_in_a_message_is_a_command_or_a_format() {
    let scratch = Scratch::new();
    let mut channel =
        Channel::open(&scratch, "make_terse = true\nmake_pretty = true", "irc_method = \"msg\"");
    channel.log("a\r\nQUIT :gone\r\nPRIVMSG #bus :forged\0\x01ACTION\x01\x02\x034,5\x0f");
    let topic = "org.fedoraproject.dev.logger.log\r\nPART #bus\x034";
    channel.publisher.publish(topic, r#"{"log":"topic"}"#);
    channel.log("end");
    channel.user.wait_for_text("end");
    let said = channel.user.wait_for_said(3);
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(
        said[0].1,
        "\x0315logger.log\x03 -- a  QUIT :gone  PRIVMSG #bus :forged  ACTION   4,5  (test) "
    );
    assert!(!said[1].1.contains("\x034") && said[1].1.contains("PART #bus"), "{:?}", said[1]);
    for line in channel.user.heard.all() {
        assert!(!matches!(line.split(' ').nth(1), Some("QUIT" | "PART")), "{line}");
    }
}

#[test]
fn a_long_line_is_cut_between_characters_and_arrives_whole() {
    let scratch = Scratch::new();
    let mut channel = Channel::open(&scratch, "make_terse = true", "");
    for text in ["ž".repeat(1000), "𝕏".repeat(1000), format!("a{}", "€".repeat(1000))] {
        channel.log(&text);
    }
    for (_, text) in channel.user.wait_for_said(3) {
        assert!(text.ends_with('…') && text.len() > 350, "{text}");
        assert!(!text.contains('\u{fffd}'), "{text}");
    }
    assert!(channel.user.heard.all().iter().all(|line| line.len() <= 511));
}

#[test]
fn filters_discard_and_topics_select() {
    let scratch = Scratch::new();
    let entry = r#"
        make_terse = true
        topics = ["org.fedoraproject.*.logger.*", "org.fedoraproject.*.git.*"]
        filters = { topic = ["\\.git\\.noise$"], body = ["lub-dub", "(?<!not )secret"] }
    "#;
    let mut channel = Channel::open(&scratch, entry, "");
    channel.publisher.publish("org.fedoraproject.dev.bodhi.update", "{}");
    channel.publisher.publish("org.fedoraproject.dev.git.noise", "{}");
    channel.log("lub-dub");
    channel.log("a secret");
    channel.log("not secret");
    channel.publisher.publish("org.fedoraproject.dev.git.receive", "{}");
    let said: Vec<_> = channel.user.wait_for_said(2).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["logger.log -- not secret (test) ", "git.receive --  "]);
}

#[test]
fn a_nickname_that_is_taken_gets_an_underscore() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let _squatter = IrcUser::connect(&scratch, &server, "bot");
    let publisher = TestPublisher::default();
    let hub = hub(&scratch, &publisher, server.port(), "", "").start();
    user.wait_for_join("bot_", 1);
    assert!(hub.log().wait_for("joined").contains("nickname=bot_"));
}

#[test]
fn a_kicked_bot_comes_back() {
    let scratch = Scratch::new();
    let mut channel = Channel::open(&scratch, "make_terse = true", "");
    channel.user.send("KICK #bus bot :be quiet");
    assert!(channel.hub.log().wait_for("kicked").contains("be quiet"));
    channel.user.wait_for_join("bot", 2);
    channel.log("back");
    channel.user.wait_for_text("back");
}

#[test]
fn a_cut_connection_and_a_server_that_restarts_are_survived() {
    let scratch = Scratch::new();
    let mut server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let cable = Cable::to(&server);
    let _hub = hub(&scratch, &publisher, cable.port(), "make_terse = true", "").start();
    publisher.wait_for_subscriber(LOG);
    user.wait_for_join("bot", 1);
    cable.cut();
    user.wait_for_join("bot", 2);
    publisher.publish(LOG, r#"{"log":"after the cut"}"#);
    user.wait_for_text("after the cut");

    server.kill();
    publisher.publish(LOG, r#"{"log":"meanwhile"}"#);
    server.start_again();
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    user.wait_for_text("meanwhile");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let scratch = Scratch::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let publisher = TestPublisher::default();
    let hub = hub(&scratch, &publisher, mute.local_addr().unwrap().port(), "timeout = 1", "").start();
    let _held = [(); 2].map(|()| mute.accept().unwrap());
    assert!(hub.log().wait_for("not connected").contains("nothing is heard for 1s"));
}

#[test]
fn tls_is_verified_against_the_configured_authority() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let entry = format!("ssl = true\nmake_terse = true\nca_file = \"{}\"", scratch.join("ca.crt").display());
    let first = hub(&scratch, &publisher, server.tls_port(), &entry, "").start();
    user.wait_for_join("bot", 1);
    publisher.wait_for_subscriber(LOG);
    publisher.publish(LOG, r#"{"log":"in secret"}"#);
    user.wait_for_text("in secret");
    drop(first);
    let untrusting = Hub::builder(&scratch).name("untrusting");
    let untrusting = with_bot(untrusting, &publisher, server.tls_port(), "ssl = true", "").start();
    assert!(untrusting.log().wait_for("not connected").contains("certificate verify failed"));
}

#[test]
fn the_bot_logs_in_by_sasl_and_by_nickserv() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let _services = server.services();
    let mut user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut owner = IrcUser::connect(&scratch, &server, "owner");
    owner.send("PRIVMSG NickServ :REGISTER hunter2 owner@example.org");
    owner.heard.wait_for("is now registered");
    let password = scratch.write("password", "hunter2\n").display().to_string();
    let publisher = TestPublisher::default();
    for (n, auth) in ["sasl", "nickserv"].into_iter().enumerate() {
        let entry = format!("auth = \"{auth}\"\naccount = \"owner\"\npassword_file = \"{password}\"");
        let mut hub = hub(&scratch, &publisher, server.port(), &entry, "").start();
        user.wait_for_join("bot", n + 1);
        // The services look at it in their own time.
        let logged_in = (0..1000).any(|_| {
            let whois = user.ask("WHOIS bot", " 318 ");
            whois.iter().any(|line| line.contains(" 330 watcher bot owner "))
        });
        assert!(logged_in, "{auth}");
        assert_eq!(hub.stop().code(), Some(0));
        user.wait_for_quit("bot", n + 1);
    }
    let wrong = Hub::builder(&scratch).name("wrong");
    let entry = "auth = \"sasl\"\npassword = \"wrong\"";
    let wrong = with_bot(wrong, &publisher, server.port(), entry, "").start();
    assert!(wrong.log().wait_for("not connected").contains("SASL fails"));
}

#[test]
fn a_flood_is_told_and_holds_up_nobody() {
    const FLOOD: usize = 5_000;
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let recorder = Recorder::listen(&scratch, "recorder");
    let entry = "make_terse = true\nline_rate = 0.01\nqueue_messages = 30\ncondense = true";
    let hub = Hub::builder(&scratch).recorder(&recorder);
    let mut hub = with_bot(hub, &publisher, server.port(), entry, "").start();
    publisher.wait_for_subscriber(LOG);
    user.wait_for_join("bot", 1);
    hub.log().wait_for("joined");
    let before = hub.peak_memory();
    let large = "x".repeat(1000);
    for _ in 0..FLOOD {
        publisher.publish(LOG, &json!({"log": large}).to_string());
    }
    assert_eq!(recorder.wait_for(FLOOD).len(), FLOOD);
    publisher.publish(LOG, r#"{"log":"the last one"}"#);
    let told = user.wait_for_text(" more logger messages in the last ");
    assert!(told.starts_with("* "), "{told}");
    user.wait_for_text("the last one");
    assert!(hub.peak_memory() < before + 64 * 1024, "{} KiB more", hub.peak_memory() - before);
    assert_eq!(hub.stop().code(), Some(0));
    let left = hub.log().wait_for("left IRC");
    assert!(left.contains(&format!("queued={}", FLOOD + 1)) && left.contains("unsaid=0"), "{left}");
}

#[test]
fn bots_connect_one_after_another() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    let names = ["first", "second", "third"];
    let entries: String = names.map(|name| entry(server.port(), name)).concat();
    let after = |interval: &str| {
        let interval = format!("fedmsg.consumers.ircbot.connect_interval={interval}");
        bots(&scratch, &publisher, &entries).arguments(&["--set", &interval])
    };
    let (never, soon) = (after("3600"), after("0.1"));
    let mut hub = never.start();
    user.wait_for_join("first", 1);
    publisher.wait_for_subscriber("");
    publisher.publish(LOG, r#"{"log":"nobody else is here"}"#);
    user.wait_for_text("nobody else is here");
    assert_eq!(hub.stop().code(), Some(0));
    user.wait_for_quit("first", 1);
    assert!(user.heard.all().iter().all(|line| !line.contains(":second!") && !line.contains(":third!")));
    let _hub = soon.start();
    for name in names {
        user.wait_for_join(name, 1 + usize::from(name == "first"));
    }
}

#[test]
fn a_reload_moves_a_bot_to_another_channel_and_the_others_come_back_to_theirs() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let other = IrcUser::join(&scratch, &server, "elsewhere", "#other");
    let mut publisher = TestPublisher::default();
    let [moving, staying] = ["moving", "staying"].map(|name| entry(server.port(), name));
    let told =
        |entries: String| bots(&scratch, &publisher, &entries).arguments(&["--set", "hub.watch=false"]);
    let first = told(format!("{moving}{staying}"));
    let next = told(format!("{}{staying}", moving.replace("\"bus\"", "\"other\"")));
    let _hub = first.start();
    user.wait_for_join("moving", 1);
    user.wait_for_join("staying", 1);
    publisher.wait_for_subscriber("");
    publisher.publish(LOG, r#"{"log":"before"}"#);
    user.wait_for_said(2);
    let done = Process::run(&scratch, "reload", next.command().arg("reload"), "");
    assert_eq!((&*done.stdout, done.status.code()), ("changed consumer ircbot", Some(0)), "{}", done.stderr);
    publisher.wait_for_subscriber("");
    publisher.publish(LOG, r#"{"log":"after"}"#);
    let by = |said: Vec<(String, String)>| said.into_iter().map(|(by, _)| by).collect::<Vec<_>>();
    assert_eq!(by(other.wait_for_said(1)), ["moving"]);
    assert_eq!(by(user.wait_for_said(3))[2..], ["staying"]);
    assert!(user.wait_for_said(3)[2].1.contains("after"));
}

#[test]
fn what_is_too_old_is_left_out_and_the_channel_and_the_operator_are_told() {
    let scratch = Scratch::new();
    let server = IrcServer::start(&scratch);
    let user = IrcUser::join(&scratch, &server, "watcher", "#bus");
    let mut publisher = TestPublisher::default();
    // At such an age, everything is too old.
    let entries = format!("{}max_age = 0\n", entry(server.port(), "bot"));
    let socket = scratch.join("http.sock");
    let listen = format!("http.listen=unix:{}", socket.display());
    let _hub = bots(&scratch, &publisher, &entries).arguments(&["--set", &listen]).start();
    user.wait_for_join("bot", 1);
    publisher.wait_for_subscriber("");
    publisher.publish(LOG, r#"{"log":"yesterday's"}"#);
    assert_eq!(user.wait_for_said(1)[0].1, "* backlogged by 0 messages, 1 left out");
    let counted = Http::Unix(socket).get("/status").json()["consumers"][0]["counted"].take();
    assert_eq!((&counted["lines_too_old"], &counted["lines_left_out"]), (&json!(1), &json!(0)));
}

#[test]
fn links_are_shortened_by_a_service_that_answers_and_else_left_as_they_are() {
    let scratch = Scratch::new();
    let mut web = python();
    web.arg(workspace().join("tests/python/shorten_links.py"));
    let web = Process::start(&scratch, "web", &mut web);
    let address = web.stdout.wait_for("http://");
    let all = format!("link_shortener = \"{address}/s?url={{url}}\"\nlink_shortener_timeout = 30");
    let mut channel = Channel::open(&scratch, "make_terse = true\nmake_short = true", &all);
    for link in ["https://x.org/a?b=c&d=ž", "https://x.org/broken"] {
        let msg = json!({"message": "see", "link": link});
        channel.publisher.publish("org.fedoraproject.dev.announce.announcement", &msg.to_string());
    }
    let said: Vec<_> = channel.user.wait_for_said(2).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said[0], "announce.announcement -- see http://short/https://x.org/a?b=c&d=ž");
    assert_eq!(said[1], "announce.announcement -- see https://x.org/broken");
    channel.hub.log().wait_for("links are not shortened");
}

#[test]
fn what_cannot_work_is_said_by_check_and_by_the_hub_before_anything_is_connected() {
    let scratch = Scratch::new();
    let publisher = TestPublisher::default();
    let refused = |builder: HubBuilder<'_>, reason: &str| {
        let (run, check) = (builder.clone().run(), builder.arguments(&["check"]).run());
        assert!(run.status.code() == Some(3) && run.stderr.contains(reason), "{reason}: {}", run.stderr);
        let said = check.stdout + &check.stderr;
        assert!(check.status.code() == Some(3) && said.contains(reason), "{reason}: {said}");
    };
    for (entry, reason) in [
        ("auth = \"sasl\"", "auth needs a password"),
        ("password = \"x\"", "auth says whom the password is for"),
        (
            "auth = \"sasl\"\npassword_file = \"/does/not/exist\"",
            "password_file: /does/not/exist: No such file",
        ),
        ("ssl = true\nca_file = \"/dev/null\"", "ca_file: /dev/null"),
        ("make_prety = true", "make_prety"),
        ("line_rate = -1", "-1 is no length of time"),
        ("timeout = 0", "timeout: 0 is too short"),
        ("filters = { body = [\"(\"] }", "no regular expression"),
    ] {
        refused(hub(&scratch, &publisher, 1, entry, ""), reason);
    }
    let nothing = bots(&scratch, &publisher, "").program("fedmsg-irc");
    refused(nothing, "add an entry [[fedmsg.consumers.ircbot.irc]]");
}

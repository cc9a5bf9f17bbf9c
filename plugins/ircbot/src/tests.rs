use plugin_api::testing::Harness;
use serde_json::{Value, json};

use super::*;

fn wants(config: Value) -> Result<Vec<String>, String> {
    let wants = Harness::<IrcBot>::describe(config).map_err(|error| error.to_string())?;
    Ok(wants.topics.iter().map(ToString::to_string).collect())
}

#[test]
fn the_sample_is_right() {
    let sample = toml::from_str(include_str!("../sample.toml")).unwrap();
    let wants = Harness::<IrcBot>::describe_sample(sample).unwrap();
    assert_eq!(wants.topics.len(), 1);
}

#[test]
fn the_samples_comments_show_keys_that_exist() {
    let sample = include_str!("../sample.toml");
    let shown: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            // One password is enough.
            Some(key) if key.contains(" = ") && !key.starts_with("port") => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let mut sample: Value = toml::from_str(&shown).unwrap();
    // Files that this machine does not have.
    let entry = &mut sample["fedmsg"]["consumers"]["ircbot"]["irc"][0];
    for (key, missing) in [("ca_file", "/etc/pki/irc-ca.crt"), ("password_file", "/etc/fedmsg/irc-password")]
    {
        assert_eq!(entry.as_object_mut().unwrap().remove(key).unwrap(), missing);
    }
    Harness::<IrcBot>::describe_sample(sample).unwrap();
}

#[test]
fn the_sample_shows_the_defaults() {
    let mut sample: Value = toml::from_str(include_str!("../sample.toml")).unwrap();
    let mut sample = sample["fedmsg"]["consumers"]["ircbot"].take();
    sample.as_object_mut().unwrap().remove("enabled");
    let Config(shown) = serde_json::from_value(sample).unwrap();
    let bare = json!({"irc": [{"network": "irc.libera.chat", "channel": "#my-fedmsg-channel"}]});
    let Config(bare) = serde_json::from_value(bare).unwrap();
    // What only shows how a thing is written is no default.
    let common = |table: &Table| {
        let Table { irc_method, irc_default_color, topic_prefix, connect_interval, .. } = table;
        format!(
            "{irc_method:?} {irc_default_color:?} {topic_prefix} {connect_interval:?} {:?} {:?}",
            table.link_shortener, table.link_shortener_timeout
        )
    };
    assert_eq!(common(&shown), common(&bare));
    let entry = |table: Table| {
        let Entry { channel, .. } = table.irc.into_iter().next().unwrap();
        format!(
            "{:?}",
            config::Channel {
                ssl: false,
                make_terse: false,
                make_pretty: false,
                filters: Default::default(),
                ..channel
            }
        )
    };
    assert_eq!(entry(shown), entry(bare));
}

#[test]
fn the_readme_has_every_key() {
    let readme = include_str!("../README.md");
    for line in include_str!("../sample.toml").lines() {
        let key = line.trim_start_matches("# ").split(" = ").next().filter(|_| line.contains(" = "));
        if let Some(key) = key.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
            let is_colour = readme.contains("irc_color_lookup")
                && line.starts_with(char::is_alphabetic)
                && key != "enabled";
            assert!(readme.contains(&format!("{key}` |")) || is_colour, "no row for {key}");
        }
    }
}

#[test]
fn the_hub_is_asked_for_what_any_channel_wants() {
    let entry = |topics: &[&str]| json!({"network": "n", "channel": "c", "topics": topics});
    assert_eq!(wants(json!({"irc": [entry(&["a.*"]), entry(&["b", "c"])]})).unwrap(), ["a.*", "b", "c"]);
    assert_eq!(wants(json!({"irc": [{"network": "n", "channel": "c"}]})).unwrap(), ["*"]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (key, value, named) in [
        ("channel", json!("two words"), "two words"),
        ("channel", json!("#a,#b"), "#a,#b"),
        ("nickname", json!("a\r\nQUIT"), "QUIT"),
        ("password", json!("two\nlines"), "a password is one line"),
        ("line_rate", json!(-1), "-1 is no length of time"),
        ("timeout", json!(1e30), "is no length of time"),
        ("timeout", json!(0), "a second, 1, is the least"),
        ("reconnect_wait", json!(0.9), "0.9 is too short"),
        ("queue_messages", json!(0), "nonzero"),
        ("queue_bytes", json!(0), "nonzero"),
        ("when_full", json!("drop"), "drop_oldest"),
        ("auth", json!("plain"), "nickserv"),
        ("filters", json!({"topic": ["("]}), "no regular expression"),
        ("make_prety", json!(true), "make_prety"),
    ] {
        let mut entry = json!({"network": "n", "channel": "c"});
        entry[key] = value;
        let error = wants(json!({"irc": [entry]})).unwrap_err();
        assert!(error.starts_with(&format!("irc.0.{key}")) && error.contains(named), "{error}");
    }
    assert!(wants(json!({})).unwrap_err().contains("[[fedmsg.consumers.ircbot.irc]]"));
    assert!(wants(json!({"link_shortener": "https://x.org/"})).unwrap_err().contains("{url}"));
    assert!(wants(json!({"irc_default_color": "mauve"})).unwrap_err().contains("mauve"));
}

#[test]
fn no_password_shows_in_what_is_printed() {
    let config = json!({"irc": [{"network": "n", "channel": "c", "auth": "sasl", "password": "hunter2"}]});
    let config: Config = serde_json::from_value(config).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn files_are_read_with_the_table_and_what_stands_in_them_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "\u{1}hunter2\nmore").unwrap();
    let secret = secret.to_str().unwrap();
    for (key, path, named) in [
        ("password_file", "/nonexistent", "/nonexistent: No such file"),
        ("password_file", "/dev/zero", "/dev/zero is no regular file"),
        ("password_file", secret, "secret does not hold a password on its first line"),
        ("ca_file", "/nonexistent", "/nonexistent: No such file"),
        ("ca_file", secret, "secret is no PEM certificate"),
    ] {
        let mut entry = json!({"network": "n", "channel": "c", "auth": "sasl"});
        entry[key] = json!(path);
        let error = wants(json!({"irc": [entry]})).unwrap_err();
        assert!(error.starts_with(&format!("irc.0.{key}")) && error.contains(named), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_password_and_whom_it_is_for_belong_together() {
    for (keys, named) in [
        (json!({"auth": "sasl"}), "auth needs a password"),
        (json!({"password": "hunter2"}), "auth says whom the password is for"),
    ] {
        let mut entry = json!({"network": "n", "channel": "c"});
        entry.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        let error = wants(json!({"irc": [entry]})).unwrap_err();
        assert!(
            error.starts_with("irc.0: ") && error.contains(named) && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn it_stops_though_no_server_answers() {
    let entry = json!({"network": "127.0.0.1", "port": 1, "channel": "c"});
    let mut bot = Harness::<IrcBot>::start(json!({"irc": [entry]})).unwrap();
    bot.deliver("org.fedoraproject.dev.logger.log", json!({"log": "x"})).unwrap();
    bot.stop().unwrap();
}

#[test]
fn what_is_left_out_is_counted_over_all_channels_and_all_counts_are_in_the_readme() {
    let entry = |room| json!({"network": "127.0.0.1", "port": 1, "channel": "c", "queue_messages": room});
    let mut bots = Harness::<IrcBot>::start(json!({"irc": [entry(1), entry(2)]})).unwrap();
    let readme = include_str!("../README.md");
    for (name, count) in bots.counts() {
        assert!(count == 0 && readme.contains(&format!("| `{name}` |")), "{name}");
    }
    for _ in 0..4 {
        bots.deliver("org.fedoraproject.dev.logger.log", json!({"log": "x"})).unwrap();
    }
    assert_eq!(bots.counts()["lines_left_out"], 3 + 2);
    bots.stop().unwrap();
}

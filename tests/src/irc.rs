//! A real IRC network: InspIRCd, Atheme's services, people, and the cable between.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::{Lines, Process, Scratch, free_ports, python, workspace};

/// An IRC server on free ports. It has mode +c, TLS as `localhost`, and SASL where services run.
pub struct IrcServer<'s> {
    scratch: &'s Scratch,
    process: Process,
    port: u16,
    tls_port: u16,
    services_port: u16,
    starts: u32,
}

impl<'s> IrcServer<'s> {
    /// Starts one, with a test authority in `ca.crt` of the scratch folder.
    pub fn start(scratch: &'s Scratch) -> Self {
        let mut make = python();
        make.arg(workspace().join("tests/python/make_certificates.py")).arg(scratch.path());
        let made = Process::run(scratch, "certificates", &mut make, "");
        assert!(made.status.success(), "{}", made.stderr);
        let [port, tls_port, services_port] = free_ports();
        let folder = scratch.path().display();
        scratch.write(
            "inspircd.conf",
            &format!(
                r#"
                <server name="irc.test" description="test" network="Test" id="1AA">
                <admin name="test" nick="test" email="test@example.org">
                <bind address="127.0.0.1" port="{port}" type="clients">
                <bind address="127.0.0.1" port="{tls_port}" type="clients" ssl="tls">
                <bind address="127.0.0.1" port="{services_port}" type="servers">
                <module name="ssl_gnutls">
                <sslprofile name="tls" provider="gnutls" certfile="{folder}/server.crt" keyfile="{folder}/server.key">
                <module name="blockcolor"> <module name="cap"> <module name="sasl">
                <module name="services_account"> <module name="spanningtree">
                <sasl target="services.test">
                <link name="services.test" ipaddr="127.0.0.1" port="{services_port}" allowmask="127.0.0.0/8"
                    sendpass="secret" recvpass="secret">
                <uline server="services.test" silent="yes">
                <connect allow="*" timeout="60" pingfreq="600" fakelag="no" threshold="1000000" commandrate="1000000"
                    softsendq="16777216" hardsendq="33554432" localmax="100" globalmax="100"
                    resolvehostnames="no" useident="no">
                <options defaultmodes="not">
                <pid file="{folder}/inspircd.pid">
                <path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}"
                    moduledir="/usr/lib/inspircd/modules">
                "#
            ),
        );
        let process = Self::run(scratch, port, 1);
        Self { scratch, process, port, tls_port, services_port, starts: 1 }
    }

    fn run(scratch: &Scratch, port: u16, start: u32) -> Process {
        let program = Path::new("/usr/sbin/inspircd");
        assert!(program.exists(), "there is no inspircd: run scripts/test, which installs it");
        let mut command = Command::new(program);
        command.arg("--nofork").arg("--runasroot");
        command.arg(format!("--config={}", scratch.join("inspircd.conf").display()));
        let process = Process::start(scratch, &format!("inspircd{start}"), &mut command);
        process.stdout.wait_for("InspIRCd is now running");
        drop(TcpStream::connect(("127.0.0.1", port)).expect("the server listens"));
        process
    }

    /// The port of plain connections.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.signal(crate::Signal::KILL);
        self.process.wait();
    }

    /// Starts it again.
    pub fn start_again(&mut self) {
        self.starts += 1;
        self.process = Self::run(self.scratch, self.port, self.starts);
    }

    /// Starts NickServ and SaslServ.
    pub fn services(&self) -> Process {
        let port = self.services_port;
        let modules = [
            "protocol/inspircd",
            "backend/opensex",
            "nickserv/main",
            "nickserv/register",
            "nickserv/identify",
        ];
        let modules: String = modules
            .iter()
            .chain(&["saslserv/main", "saslserv/plain"])
            .map(|module| format!("loadmodule \"modules/{module}\";\n"))
            .collect();
        let config = self.scratch.write(
            "atheme/atheme.conf",
            &format!(
                r#"{modules}
                serverinfo {{ name = "services.test"; desc = "test"; numeric = "00A"; recontime = 1; netname = "Test";
                    adminname = "test"; adminemail = "test@example.org"; registeremail = "test@example.org";
                    auth = none; }};
                uplink "irc.test" {{ host = "127.0.0.1"; port = {port}; send_password = "secret";
                    receive_password = "secret"; }};
                nickserv {{ nick = "NickServ"; user = "services"; host = "services.test"; real = "services"; }};
                saslserv {{ nick = "SaslServ"; user = "services"; host = "services.test"; real = "services"; }};
                "#
            ),
        );
        let folder = self.scratch.join("atheme");
        let mut command = Command::new("/usr/bin/atheme-services");
        command.arg("-n").arg("-c").arg(&config).arg("-D").arg(&folder);
        command.arg("-l").arg(folder.join("log")).arg("-p").arg(folder.join("pid"));
        let process = Process::start(self.scratch, "atheme", &mut command);
        process.stderr.wait_for("finished synching");
        process
    }
}

/// Somebody on IRC, who hears all that is said where he is.
pub struct IrcUser {
    stream: TcpStream,
    /// What the server sent him, without the line ends.
    pub heard: Lines,
    name: String,
}

impl IrcUser {
    /// Connects under this nickname.
    pub fn connect(scratch: &Scratch, server: &IrcServer<'_>, nickname: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("the server listens");
        let copy = scratch.join(&format!("{nickname}{}.irc", server.starts));
        let heard = Lines::read(stream.try_clone().expect("a socket"), &copy);
        let mut user = Self { stream, heard, name: nickname.to_owned() };
        user.send(&format!("NICK {nickname}\r\nUSER {nickname} 0 * :{nickname}"));
        user.heard.wait_for(" 422 ");
        user
    }

    /// The same, on a channel: as its operator, if he is the first.
    pub fn join(scratch: &Scratch, server: &IrcServer<'_>, nickname: &str, channel: &str) -> Self {
        let mut user = Self::connect(scratch, server, nickname);
        user.send(&format!("JOIN {channel}"));
        user.heard.wait_for(" 366 ");
        user
    }

    /// Sends a command.
    pub fn send(&mut self, command: &str) {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).expect("an open connection");
    }

    /// Sends a command, and waits for all of the answer up to the line with `end`.
    pub fn ask(&mut self, command: &str, end: &str) -> Vec<String> {
        let before = self.heard.all().len();
        self.send(command);
        self.heard.wait_until(&format!("the answer to {command}"), |lines| {
            let last = lines[before..].iter().position(|line| line.contains(end))?;
            Some(lines[before..=before + last].to_vec())
        })
    }

    /// Waits until somebody has joined for the `n`th time.
    pub fn wait_for_join(&self, nickname: &str, n: usize) {
        self.wait_for(nickname, "JOIN", n);
    }

    /// Waits until somebody has left the network for the `n`th time.
    pub fn wait_for_quit(&self, nickname: &str, n: usize) {
        self.wait_for(nickname, "QUIT", n);
    }

    fn wait_for(&self, nickname: &str, command: &str, n: usize) {
        let (sender, command) = (format!(":{nickname}!"), format!(" {command} "));
        self.heard.wait_until(&format!("{n} times{command}of {nickname}"), |lines| {
            let times = lines.iter().filter(|line| line.starts_with(&sender) && line.contains(&command));
            (times.count() >= n).then_some(())
        });
    }

    /// Waits until so many lines were said by others; all of them so far, each as its sender and its text.
    pub fn wait_for_said(&self, n: usize) -> Vec<(String, String)> {
        self.heard.wait_until(&format!("{n} lines that {} hears", self.name), |lines| {
            let said: Vec<_> = lines.iter().filter_map(|line| said(line)).collect();
            (said.len() >= n).then_some(said)
        })
    }

    /// Waits for a line that holds this text.
    pub fn wait_for_text(&self, text: &str) -> String {
        self.heard.wait_until(&format!("{text:?}"), |lines| {
            lines.iter().filter_map(|line| said(line)).map(|(_, said)| said).find(|said| said.contains(text))
        })
    }
}

/// Who said what on a channel, if the line is of that kind.
fn said(line: &str) -> Option<(String, String)> {
    let (sender, rest) = line.strip_prefix(':')?.split_once('!')?;
    let rest = rest.split_once(' ')?.1;
    let rest = rest.strip_prefix("NOTICE #").or_else(|| rest.strip_prefix("PRIVMSG #"))?;
    let text = rest.split_once(' ')?.1;
    let text = text.strip_prefix(':').unwrap_or(text);
    Some((sender.to_owned(), text.trim_end_matches('\r').to_owned()))
}

/// A way to a server that can be interrupted.
pub struct Cable {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    /// A way to the server's plain port.
    pub fn to(server: &IrcServer<'_>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (open, target) = (Arc::clone(&streams), server.port);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("a connection");
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let [near2, far2, near3, far3] =
                    [&near, &far, &near, &far].map(|stream| stream.try_clone().expect("a socket"));
                open.lock().expect("no panic").extend([near3, far3]);
                std::thread::spawn(move || carry(near, far));
                std::thread::spawn(move || carry(far2, near2));
            }
        });
        Self { port, streams }
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection, towards both ends.
    pub fn cut(&self) {
        for stream in self.streams.lock().expect("no panic").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
}

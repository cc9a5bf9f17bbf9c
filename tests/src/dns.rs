//! A real name server: Debian's dnsmasq.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use crate::{Process, Scratch, Signal};

/// A name server that knows one service, `_fedmsg._tcp.bus.test`, on hosts that are all this machine.
///
/// Its records live for no time at all, so that a subscriber asks again as soon as it ever does.
pub struct NameServer<'s> {
    scratch: &'s Scratch,
    port: u16,
    process: Option<Process>,
    starts: u32,
}

impl<'s> NameServer<'s> {
    /// Starts one that knows these places of the service: `host.test`, port.
    pub fn start(scratch: &'s Scratch, places: &[(&str, u16)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        drop(socket);
        let mut server = Self { scratch, port, process: None, starts: 0 };
        server.serve(places);
        server
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Knows other places from now on. Without any, it knows the name no more.
    pub fn serve(&mut self, places: &[(&str, u16)]) {
        let record = |(host, port): &(&str, u16)| format!("_fedmsg._tcp.bus.test,{host},{port}");
        self.run(&places.iter().map(record).collect::<Vec<_>>());
    }

    /// Says from now on that the service is decidedly not available.
    pub fn deny(&mut self) {
        self.run(&["_fedmsg._tcp.bus.test".to_owned()]);
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::KILL);
            process.wait();
        }
    }

    /// Waits until it was asked so often for the service since it has known what it knows.
    pub fn wait_for_questions(&self, count: usize) {
        let process = self.process.as_ref().expect("it runs");
        process.stderr.wait_until("questions", |lines| {
            let asked = lines.iter().filter(|line| line.contains("query[SRV] _fedmsg._tcp.bus.test "));
            (asked.count() >= count).then_some(())
        });
    }

    fn run(&mut self, records: &[String]) {
        self.stop();
        let program = Path::new("/usr/sbin/dnsmasq");
        assert!(program.exists(), "there is no dnsmasq: run scripts/test, which installs it");
        let mut command = Command::new(program);
        command.args(["--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--log-queries"]);
        command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/", "--pid-file="]);
        command.arg(format!("--port={}", self.port));
        for host in ["a", "b", "c"] {
            command.arg(format!("--host-record={host}.test,127.0.0.1"));
        }
        command.args(records.iter().map(|record| format!("--srv-host={record}")));
        self.starts += 1;
        let process = Process::start(self.scratch, &format!("dnsmasq{}", self.starts), &mut command);
        process.stderr.wait_for("started, version");
        self.process = Some(process);
    }
}

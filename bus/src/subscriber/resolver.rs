//! Names to addresses, away from every thread that has something else to do.
//!
//! libzmq itself would look names up in its I/O thread, where one dead name server holds up every connection.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use crossbeam_channel::{Receiver, Sender};

use super::dns::{self, NoService, Service};

/// So many names are looked up at a time; one that hangs holds up no more than its thread.
const THREADS: usize = 4;

/// Asks and hands the answer over.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that look names up. They start with the first name; the last of them ends after the resolver.
pub(super) struct Resolver {
    jobs: Option<Sender<Job>>,
    dns_server: Option<SocketAddr>,
}

/// What is to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The addresses of a host of the configuration, which may be known to the system alone.
    Host(String, u16),
    /// The addresses of a host that a service led to: DNS knows them.
    FoundHost(String, u16),
    /// The places of a service.
    Service(String),
}

/// What was found, or what is wrong.
pub(super) enum Answer {
    /// At least one address, the IPv4 ones first.
    ///
    /// IPv4 first, since Python fedmsg binds IPv4 alone and `localhost` is both.
    Host(Result<Vec<SocketAddr>, String>),
    Service(Result<Service, NoService>),
}

impl Resolver {
    /// One that asks this name server what only DNS can answer, or those of the system.
    pub(super) fn new(dns_server: Option<SocketAddr>) -> Self {
        Self { jobs: None, dns_server }
    }

    /// Calls `done` from another thread with the answer.
    pub(super) fn look_up(
        &mut self,
        question: Question,
        done: impl FnOnce(Answer) + Send + 'static,
    ) -> io::Result<()> {
        let server = self.dns_server;
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start()?),
        };
        // The threads outlive the sender.
        jobs.send(Box::new(move || done(question.answer(server)))).ok();
        Ok(())
    }
}

fn start() -> io::Result<Sender<Job>> {
    let (jobs, queue) = crossbeam_channel::unbounded();
    for _ in 0..THREADS {
        let queue: Receiver<Job> = queue.clone();
        thread::Builder::new()
            .name("bus-resolver".to_owned())
            .spawn(move || queue.iter().for_each(|job| job()))?;
    }
    Ok(jobs)
}

impl Question {
    fn answer(self, dns_server: Option<SocketAddr>) -> Answer {
        match self {
            Self::Host(name, port) => Answer::Host(
                (name.as_str(), port)
                    .to_socket_addrs()
                    .map_err(|error| error.to_string())
                    .and_then(|found| ordered(found.collect())),
            ),
            Self::FoundHost(name, port) => Answer::Host(dns::host(&name, port, dns_server).and_then(ordered)),
            Self::Service(name) => Answer::Service(dns::service(&name, dns_server)),
        }
    }
}

fn ordered(mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    if found.is_empty() { Err("no address".to_owned()) } else { Ok(found) }
}

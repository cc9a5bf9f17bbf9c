//! Host names to addresses, away from every thread that has something else to do.
//!
//! libzmq itself would look names up in its I/O thread, where one dead name server holds up every connection.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use crossbeam_channel::{Receiver, Sender};

/// So many names are looked up at a time; one that hangs holds up no more than its thread.
const THREADS: usize = 4;

/// Looks a name up and hands the answer over.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that look names up. They start with the first name; the last of them ends after the resolver.
#[derive(Default)]
pub(super) struct Resolver {
    jobs: Option<Sender<Job>>,
}

impl Resolver {
    /// Calls `done` from another thread with the addresses of a name, the IPv4 ones first, or with what is wrong.
    ///
    /// IPv4 first, since Python fedmsg binds IPv4 alone and `localhost` is both.
    pub(super) fn look_up(
        &mut self,
        host: String,
        port: u16,
        done: impl FnOnce(Result<Vec<SocketAddr>, String>) + Send + 'static,
    ) -> io::Result<()> {
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start()?),
        };
        // The threads outlive the sender.
        jobs.send(Box::new(move || done(addresses(&host, port)))).ok();
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

fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let mut found: Vec<_> = (host, port).to_socket_addrs().map_err(|error| error.to_string())?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    if found.is_empty() { Err("no address".to_owned()) } else { Ok(found) }
}

//! End-to-end tests: the real hub, commands and plugins, and the real Python fedmsg, as separate programs.
//!
//! - `flow`: a message's way to the consumers, and what is said of it
//! - `stop`: signals, draining, deadlines, exit codes
//! - `operator`: the commands for journal, dead letters, replay and consumers
//! - `status`, `http`: how a hub is doing, and how that is told when something goes wrong
//! - `reload`: configuration, plugins and endpoints change while the hub runs
//! - `refused`: reloads that are refused, or that nobody meant
//! - `relay`: publishers, relay, subscribers
//! - `bad_messages`, `bad_plugins`, `bad_config`: what must not bring the hub down, and what must keep it from
//!   starting
//! - `certificates`: those made for development, and what is said of those that are no good
//! - `import`: a Python configuration made ours, and printed
//! - `interop`: both ways with the Python fedmsg
//! - `check`: what `fedmsg-hub check` finds
//! - `collectd`: what a real collectd makes of our counts
//! - `discovery`: publishers that are found by DNS
//! - `irc`: the IRC bot on a real network
//! - `describe`: what messages say to people, as fedmsg.meta says it
//! - `trust`: signatures, from a publisher's key to a consumer's verdict
//! - `gateway`: many subscribers, slow ones among them
//! - `trigger`: commands that are run for messages
//! - `volume`: a million messages
//! - `kill`: the hub is killed again and again, and nothing is lost
//! - `clock`: the machine's clock jumps
//! - `storage`: full disks, read-only disks, a hub that is suspended, two hubs with one journal
//! - `damage`: the hub finds its files damaged
//! - `slow`: one slow consumer costs the others nothing
//! - `guide`: the walk-through of the documentation
//! - `layers`: which crate may use which
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod bad_config;
mod bad_messages;
mod bad_plugins;
mod certificates;
mod check;
mod clock;
mod collectd;
mod damage;
mod delivery;
mod describe;
mod discovery;
mod flow;
mod gateway;
mod guide;
mod http;
mod import;
mod interop;
mod irc;
mod irc_lines;
mod kill;
mod layers;
mod operator;
mod poison;
mod refused;
mod relay;
mod reload;
mod slow;
mod status;
mod stop;
mod storage;
mod trigger;
mod trust;
mod volume;
mod workers;

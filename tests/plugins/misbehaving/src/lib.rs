#![forbid(unsafe_code)]
//! Consumers with a fault each, and some that talk, for tests of what the hub makes of them. All take the same
//! `Config`.

mod fault;
mod faults;

use fault::Faulty;
use faults::{
    BlocksInConsume, BlocksInStart, BlocksInStop, CountsAnything, Dawdles, Drops, NeverStarts,
    PanicsInConsume, PanicsInStart, PanicsInStop, Publishes, PutsOff, Retries, StartsLate, StopsItself,
    Talks,
};

plugin_api::export_plugin!(
    Faulty<BlocksInConsume>,
    Faulty<BlocksInStart>,
    Faulty<BlocksInStop>,
    Faulty<CountsAnything>,
    Faulty<Dawdles>,
    Faulty<Drops>,
    Faulty<NeverStarts>,
    Faulty<PanicsInConsume>,
    Faulty<PanicsInStart>,
    Faulty<PanicsInStop>,
    Faulty<Publishes>,
    Faulty<PutsOff>,
    Faulty<Retries>,
    Faulty<StartsLate>,
    Faulty<StopsItself>,
    Faulty<Talks>,
);

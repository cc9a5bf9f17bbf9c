//! JSON exactly as Python's `json` module reads and writes it, over raw text.
//!
//! A message on the bus is what Python's `json.loads` accepts: `NaN`, `Infinity`, lone surrogates, integers
//! of thousands of digits and a thousand levels of nesting included, and signatures are made over what its
//! `json.dumps` writes. No general JSON library agrees with it on all of that.
//!
//! Nothing here recurses: the depth of a text costs no stack.

mod look;
mod members;
mod number;
mod scan;
mod string;
mod write;

pub use look::{depth, string_len};
pub use members::{edited, members};
pub use scan::{Error, Problem};
pub use string::decode;
pub use write::{Numbers, canonical, canonical_without, pretty, to_canonical};

pub(crate) use string::write_str;

#[cfg(test)]
mod tests;

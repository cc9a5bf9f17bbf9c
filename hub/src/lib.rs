#![forbid(unsafe_code)]
//! TBD

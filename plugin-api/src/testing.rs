//! Runs a consumer without a hub, for the tests of its author.

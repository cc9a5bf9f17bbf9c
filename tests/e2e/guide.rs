//! The walk-through of the documentation.

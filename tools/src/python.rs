//! Messages as Python prints them: `repr`, `str` and `pprint.pformat`.

mod pprint;
mod text;
mod value;

pub(crate) use pprint::pformat;
pub(crate) use value::Value;

#[cfg(test)]
mod tests;

//! Messages as Python prints them: `repr`, `str` and `pprint.pformat`, and what the Python fedmsg's programs make of a
//! message before they print it.

mod pprint;
mod text;
mod value;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use message::json;

pub use message::json::string_len;
pub use pprint::pformat;
pub use value::{LoadError, MAX_DEPTH, Value};

/// What `fedmsg.crypto.strip_credentials` takes away.
pub const CREDENTIALS: [&str; 2] = ["signature", "certificate"];

/// The body without these members. With a time zone, `timestamp` is in words, as by `time.ctime`, if it is a time.
///
/// # Errors
/// It is no JSON object as Python reads it.
pub fn dressed(body: &str, without: &[&str], zone: Option<&TimeZone>) -> Result<String, json::Error> {
    json::edited(body, |key, value| match (key, zone) {
        (Some(key), _) if without.contains(&key) => None,
        (Some("timestamp"), Some(zone)) => Some(match ctime(value, zone) {
            Some(words) => Cow::Owned(format!("\"{words}\"")),
            None => Cow::Borrowed(value),
        }),
        _ => Some(Cow::Borrowed(value)),
    })
}

/// Indented JSON, as by `fedmsg.encoding.pretty_dumps`.
///
/// # Errors
/// It is no JSON, or nested over [`MAX_DEPTH`] levels deep.
pub fn pretty_dumps(json: &str) -> Result<String, LoadError> {
    if json::depth(json) > MAX_DEPTH {
        return Err(LoadError::TooDeep);
    }
    Ok(String::from_utf8(json::pretty(json)?).unwrap_or_default())
}

/// Python's `time.ctime`, such as `Tue Nov 10 07:28:02 2026`; `None` for what is no time.
fn ctime(timestamp: &str, zone: &TimeZone) -> Option<String> {
    let seconds = timestamp.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?.floor();
    let time = Timestamp::from_second(seconds as i64).ok()?.to_zoned(zone.clone());
    Some(time.strftime("%a %b %e %H:%M:%S %Y").to_string())
}

#[cfg(test)]
mod tests;

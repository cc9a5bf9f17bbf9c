//! When what trust rests on ends.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;

/// A file whose time ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The file: a certificate or a revocation list.
    pub file: PathBuf,
    /// From when on it is worth nothing.
    pub at: SystemTime,
}

impl Expiry {
    pub(crate) fn new(file: PathBuf, seconds: i64) -> Self {
        let since = Duration::from_secs(seconds.unsigned_abs());
        let at = if seconds < 0 { SystemTime::UNIX_EPOCH - since } else { SystemTime::UNIX_EPOCH + since };
        Self { file, at }
    }

    /// Whether it ends within `span` from now, or has ended.
    #[must_use]
    pub fn is_within(&self, span: Duration) -> bool {
        self.at.duration_since(SystemTime::now()).map_or(true, |left| left <= span)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs().try_into().unwrap_or(i64::MAX),
        Err(before) => -before.duration().as_secs().try_into().unwrap_or(i64::MAX),
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970_both_ways() {
        for expected in [0, 1, 86_399, 86_400, 1_795_216_482, 4_102_444_800, -1, -86_401] {
            assert_eq!(seconds(&Asn1Time::from_unix(expected).unwrap()).unwrap(), expected);
        }
        let file = PathBuf::from("ca.crt");
        assert_eq!(Expiry::new(file.clone(), -1).at, SystemTime::UNIX_EPOCH - Duration::from_secs(1));
        assert!(Expiry::new(file.clone(), now() + 5).is_within(Duration::from_secs(10)));
        assert!(!Expiry::new(file, now() + 60).is_within(Duration::from_secs(10)));
    }
}

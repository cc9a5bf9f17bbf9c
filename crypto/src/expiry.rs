//! When what trust rests on ends.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;

/// A file that is valid for a time: a certificate or a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The file.
    pub file: PathBuf,
    /// Before that it is worth nothing.
    pub from: SystemTime,
    /// From then on it is worth nothing. In the far future for a list that never ends.
    pub at: SystemTime,
}

/// What the present is in the life of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its time is still to come.
    NotYet,
    /// It is good.
    Valid,
    /// It is good, and somebody has to see to it.
    EndsSoon,
    /// Its time is over.
    Ended,
}

impl Expiry {
    pub(crate) fn new(file: PathBuf, valid: &Range<i64>) -> Self {
        Self { file, from: time(valid.start), at: time(valid.end) }
    }

    /// What the present is in its life. It ends soon when no more than `warning` is left. What lives shorter than
    /// three times that, such as a revocation list of a week, ends soon in the last third of its life: else it would
    /// always do.
    #[must_use]
    pub fn stage(&self, warning: Duration) -> Stage {
        self.stage_at(SystemTime::now(), warning)
    }

    fn stage_at(&self, now: SystemTime, warning: Duration) -> Stage {
        let life = self.at.duration_since(self.from).unwrap_or_default();
        match self.at.duration_since(now) {
            _ if now < self.from => Stage::NotYet,
            Ok(left) if left.is_zero() => Stage::Ended,
            Ok(left) if left <= warning.min(life / 3) => Stage::EndsSoon,
            Ok(_) => Stage::Valid,
            Err(_) => Stage::Ended,
        }
    }
}

fn time(seconds: i64) -> SystemTime {
    let since = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { SystemTime::UNIX_EPOCH - since } else { SystemTime::UNIX_EPOCH + since }
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
        assert_eq!(time(-1), SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    }

    #[test]
    fn a_file_is_told_of_before_it_ends_and_no_earlier_than_in_its_last_third() {
        let stage = |valid: Range<i64>, now, warning| {
            Expiry::new(PathBuf::new(), &valid).stage_at(time(now), Duration::from_secs(warning))
        };
        assert_eq!(stage(100..1000, 99, 50), Stage::NotYet);
        assert_eq!(stage(100..1000, 100, 50), Stage::Valid);
        assert_eq!(stage(100..1000, 949, 50), Stage::Valid);
        assert_eq!(stage(100..1000, 950, 50), Stage::EndsSoon);
        assert_eq!(stage(100..1000, 1000, 50), Stage::Ended);
        assert_eq!(stage(100..1000, 9999, 50), Stage::Ended);
        assert_eq!(stage(100..1000, 699, 5000), Stage::Valid, "it lives 900");
        assert_eq!(stage(100..1000, 700, 5000), Stage::EndsSoon);
        assert_eq!(stage(100..1000, 999, 0), Stage::Valid, "nobody wants to be told");
        assert_eq!(stage(-5..i64::MAX, 1 << 40, 1 << 40), Stage::Valid, "a list without an end");
    }
}

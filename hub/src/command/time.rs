//! Times as people write and read them.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::{Span, Timestamp, Zoned};

/// A time from the command line: as RFC 3339 has it, as a date with or without a time of day here, or as long ago.
///
/// # Errors
/// What would do, in words.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, &Zoned::now())
}

fn parse_at(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(there) = text.parse::<DateTime>() {
        let here = there.to_zoned(now.time_zone().clone()).map_err(|error| error.to_string())?;
        return Ok(here.timestamp());
    }
    match text.parse::<Span>() {
        Ok(ago) if ago.is_negative() || ago.is_zero() => {
            now.checked_add(ago).map(|then| then.timestamp()).map_err(|error| error.to_string())
        }
        Ok(_) => Err(format!("that is still to come; say `{text} ago`")),
        Err(_) => Err("say for example 2026-11-20T10:00:00Z, `2026-11-20 10:00`, `2h ago` or -2h".to_owned()),
    }
}

/// A time in full, to the second.
pub(super) fn full(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// A time in full, and how long ago that was.
pub(super) fn with_age(time: Timestamp) -> String {
    let age = Duration::try_from(Timestamp::now().duration_since(time)).unwrap_or_default();
    format!("{} ({} ago)", full(time), length(age))
}

/// A length of time in its two largest units.
pub(super) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let now: Zoned = "2026-11-21T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        parse_at(text, &now).map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_taken_in_full_and_by_the_clock_on_the_wall() {
        assert_eq!(parsed("2026-11-20T10:00:00Z").unwrap(), "2026-11-20T10:00:00Z");
        assert_eq!(parsed("2026-11-20T10:00:00.5+02:00").unwrap(), "2026-11-20T08:00:00.5Z");
        assert_eq!(parsed("2026-11-20 10:00").unwrap(), "2026-11-20T09:00:00Z");
        assert_eq!(parsed("2026-11-20T10:00:01").unwrap(), "2026-11-20T09:00:01Z");
        assert_eq!(parsed("2026-07-01").unwrap(), "2026-06-30T22:00:00Z");
    }

    #[test]
    fn a_time_is_taken_as_long_ago() {
        assert_eq!(parsed("2h ago").unwrap(), "2026-11-21T09:00:00Z");
        assert_eq!(parsed("-2h").unwrap(), "2026-11-21T09:00:00Z");
        assert_eq!(parsed("1 day 30 minutes ago").unwrap(), "2026-11-20T10:30:00Z");
        // By the calendar: the clocks were put back in between.
        assert_eq!(parsed("1mo ago").unwrap(), "2026-10-21T10:00:00Z");
        assert_eq!(parsed("0s").unwrap(), "2026-11-21T11:00:00Z");
    }

    #[test]
    fn what_is_no_time_or_still_to_come_is_refused_with_a_mend() {
        assert!(parsed("2h").unwrap_err().contains("`2h ago`"));
        for text in ["", "yesterday", "10:00", "2026-13-01", "12"] {
            assert!(parsed(text).unwrap_err().contains("2h ago"), "{text}");
        }
        assert!(parsed("-99999y").is_err());
    }

    #[test]
    fn a_length_of_time_is_shown_in_two_units() {
        for (seconds, shown) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3600 + 62, "1h 1m"),
            (2 * 86_400 + 3 * 3600 + 5, "2d 3h"),
        ] {
            assert_eq!(length(Duration::from_secs(seconds)), shown);
        }
    }
}

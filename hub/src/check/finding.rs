//! What a check has found out.

use std::fmt;

/// Something that somebody has to see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, but not as it was meant, or not for long.
    Warning,
    /// Something does not work.
    Error,
}

impl Finding {
    /// Something that does not work.
    pub fn error(what: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { severity: Severity::Error, what: what.to_string(), mend: mend.to_string() }
    }

    /// Something that works, but not as it was meant, or not for long.
    pub fn warning(what: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what, mend) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, what, mend } = self;
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {what}; {mend}")
    }
}

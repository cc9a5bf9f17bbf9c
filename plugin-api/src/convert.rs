//! Between the types that people see and those that cross.

use std::time::Duration;

use abi_stable::std_types::RString;

use crate::abi;
use crate::consumer::Outbound;
use crate::error::{ConfigProblem, Failure, FailureKind, Panicked, StartError};
use crate::message::Verdict;

impl From<Option<Failure>> for abi::Failure {
    fn from(failure: Option<Failure>) -> Self {
        let Some(failure) = failure else {
            return Self {
                kind: abi::NO_FAILURE,
                reserved: 0,
                retry_after: abi::NO_DELAY,
                reason: RString::new(),
            };
        };
        let kind = match failure.kind() {
            FailureKind::Retry => abi::RETRY,
            FailureKind::Drop => abi::DROP,
            FailureKind::Stop => abi::STOP,
            FailureKind::Panic => abi::PANIC,
            FailureKind::Later => abi::LATER,
        };
        let retry_after = failure.retry_after().map_or(abi::NO_DELAY, milliseconds);
        Self { kind, reserved: 0, retry_after, reason: failure.reason().into() }
    }
}

impl From<abi::Failure> for Option<Failure> {
    fn from(failure: abi::Failure) -> Self {
        let kind = match failure.kind {
            abi::NO_FAILURE => return None,
            abi::DROP => FailureKind::Drop,
            abi::STOP => FailureKind::Stop,
            abi::PANIC => FailureKind::Panic,
            abi::LATER => FailureKind::Later,
            // Also a kind of a newer plugin: the one answer that loses nothing.
            _ => FailureKind::Retry,
        };
        let error = Failure::new(kind, failure.reason);
        Some(match failure.retry_after {
            abi::NO_DELAY => error,
            milliseconds => error.after(Duration::from_millis(milliseconds)),
        })
    }
}

/// As they cross; what is longer than they can say is for ever.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn verdict_number(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::NotChecked => abi::NOT_CHECKED,
        Verdict::Unsigned => abi::UNSIGNED,
        Verdict::Invalid => abi::INVALID,
        Verdict::Valid => abi::VALID,
    }
}

pub(crate) fn verdict_of(number: u32) -> Verdict {
    match number {
        abi::UNSIGNED => Verdict::Unsigned,
        abi::INVALID => Verdict::Invalid,
        abi::VALID => Verdict::Valid,
        // Also a verdict of a newer hub: the one on which nobody relies.
        _ => Verdict::NotChecked,
    }
}

impl From<StartError> for abi::StartError {
    fn from(error: StartError) -> Self {
        Self { retryable: error.is_retryable(), reason: error.reason().into() }
    }
}

impl From<abi::StartError> for StartError {
    fn from(error: abi::StartError) -> Self {
        if error.retryable { Self::retry(error.reason) } else { Self::fatal(error.reason) }
    }
}

impl From<Panicked> for abi::Panicked {
    fn from(panicked: Panicked) -> Self {
        Self { message: panicked.message.into(), location: panicked.location.into() }
    }
}

impl From<abi::Panicked> for Panicked {
    fn from(panicked: abi::Panicked) -> Self {
        Self { message: panicked.message.into(), location: panicked.location.into() }
    }
}

impl From<Outbound> for abi::Outbound {
    fn from(outbound: Outbound) -> Self {
        let (kind, name) = match outbound {
            Outbound::Endpoint(name) => (abi::ENDPOINT, name),
            Outbound::Signed(name) => (abi::SIGNED, name),
            Outbound::Address(address) => (abi::ADDRESS, address),
        };
        Self { kind, reserved_word: 0, name: name.into(), reserved: [0; 2] }
    }
}

impl From<abi::Outbound> for Option<Outbound> {
    fn from(outbound: abi::Outbound) -> Self {
        let name = outbound.name.into_string();
        Some(match outbound.kind {
            abi::ENDPOINT => Outbound::Endpoint(name),
            abi::SIGNED => Outbound::Signed(name),
            abi::ADDRESS => Outbound::Address(name),
            // Of a newer plugin: nothing that could be looked at here.
            _ => return None,
        })
    }
}

impl From<ConfigProblem> for abi::Problem {
    fn from(problem: ConfigProblem) -> Self {
        Self { key_path: problem.key_path.into(), message: problem.message.into() }
    }
}

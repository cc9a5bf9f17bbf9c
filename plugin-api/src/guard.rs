//! Catches panics on the side where they happen, with their message and place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::Panicked;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Calls `call`; a panic in it is the error. A broken invariant of the plugin's own is the plugin's to
/// survive: what it panicked with goes to the hub, which decides whether to call it again.
pub(crate) fn guarded<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(outer);
    result.map_err(|payload| {
        let caught = CAUGHT.with_borrow_mut(Option::take);
        let panicked =
            caught.unwrap_or_else(|| Panicked { message: text(&*payload), location: "?".to_owned() });
        if !payload.is::<&str>() && !payload.is::<String>() {
            // To drop something of the plugin's own may panic again, outside any guard.
            std::mem::forget(payload);
        }
        panicked
    })
}

/// Makes the panic hook of this copy of std keep message and place for [`guarded`]; other panics are given to
/// `unguarded` and go on to the hook that was there.
pub(crate) fn install_hook(unguarded: fn(&Panicked)) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let panicked = describe(info);
            if GUARDED.try_with(Cell::get).unwrap_or(false) {
                CAUGHT.try_with(|caught| caught.replace(Some(panicked))).ok();
            } else {
                unguarded(&panicked);
                previous(info);
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> Panicked {
    Panicked {
        message: text(info.payload()),
        location: info.location().map_or_else(|| "?".to_owned(), ToString::to_string),
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_text() {
        let panicked = guarded(|| panic!("no {}", "bread")).unwrap_err();
        assert_eq!(panicked.message, "no bread");
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let panicked = guarded(|| std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(panicked.message, "(no text)");
    }

    #[test]
    fn a_guard_inside_a_guard_leaves_the_outer_one_in_place() {
        let result = guarded(|| {
            assert!(guarded(|| panic!("inner")).is_err());
            GUARDED.get()
        });
        assert_eq!(result, Ok(true));
    }
}

//! Personal data that has a form: addresses, numbers with checksums. No names, no birthdays, nothing that needs a model.

mod bank;
mod card;
mod email;
mod identity;
mod ip;
mod kinds;
mod numeral;
mod phone;

pub use kinds::{PiiKind, PiiKinds};

pub(crate) use email::{LONGEST_LOCAL, judge as email};
pub(crate) use ip::judge_v6 as ip_v6;
pub(crate) use numeral::{LEAST_DIGITS, judge as number};

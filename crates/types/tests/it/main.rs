//! What holds for the whole house: which floor may call which, how the code looks, which pages there are.
//!
//! It lives with the ground floor because that is in everybody's build; it reads the workspace's files and asks cargo, and
//! uses no crate of the workspace but `seawall-types`.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod error_pages;
#[cfg(test)]
mod fuzz_lock;
#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod release;
#[cfg(test)]
mod workspace;

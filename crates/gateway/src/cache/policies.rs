//! Numbers for policies, so that a key can tell them apart by all that they say: a file that was edited has the same name.

use std::sync::Arc;

use seawall_policy::Policy;

/// So many policies are remembered, also those that nobody has any more.
const ROOM: usize = 64;

/// The policies that answers were judged by of late.
#[derive(Debug, Default)]
pub(super) struct Policies {
    known: Vec<(u64, Arc<Policy>)>,
    /// No number is given twice: answers may be under way that were judged by a policy long gone.
    next: u64,
}

impl Policies {
    /// The number of this policy. Two that say the same have the same, unless the first was forgotten.
    pub(super) fn number_of(&mut self, policy: &Arc<Policy>) -> u64 {
        // Without comparing what they say, which is all that happens as long as nothing is read again.
        if let Some((number, _)) = self.known.iter().find(|(_, known)| Arc::ptr_eq(known, policy)) {
            return *number;
        }
        if let Some((number, known)) = self.known.iter_mut().find(|(_, known)| known == policy) {
            *known = Arc::clone(policy);
            return *number;
        }
        if self.known.len() >= ROOM {
            // Those that only this holds are in force no more, or were read again and not asked for since.
            self.known.retain(|(_, known)| Arc::strong_count(known) > 1);
        }
        self.next += 1;
        self.known.push((self.next, Arc::clone(policy)));
        self.next
    }
}

#[cfg(test)]
mod tests {
    use seawall_types::Mode;

    use super::*;

    fn policy(name: &str) -> Arc<Policy> {
        let mut policy = Policy::off(Mode::Warn);
        name.clone_into(&mut policy.name);
        Arc::new(policy)
    }

    #[test]
    fn policies_have_the_same_number_when_they_say_the_same() {
        let mut policies = Policies::default();
        let (one, again, other) = (policy("a"), policy("a"), policy("b"));
        let number = policies.number_of(&one);
        assert_eq!([policies.number_of(&one), policies.number_of(&again)], [number; 2]);
        assert_ne!(policies.number_of(&other), number);
        assert_eq!(policies.number_of(&one), number);
    }

    #[test]
    fn policies_that_nobody_has_any_more_are_forgotten_in_time_and_their_numbers_are_not_given_again() {
        let mut policies = Policies::default();
        let kept = policy("kept");
        let number = policies.number_of(&kept);
        let mut last = number;
        for edit in 0..10 * ROOM {
            let next = policies.number_of(&policy(&format!("edit {edit}")));
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert!(policies.known.len() <= ROOM, "{}", policies.known.len());
        assert_eq!(policies.number_of(&kept), number);
        assert!(policies.number_of(&policy("edit 0")) > last);
    }
}

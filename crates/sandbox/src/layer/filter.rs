//! A seccomp filter as a tree over the numbers of system calls.
//!
//! A list of comparisons, one after the other, is what the kernel walks before every call of the confined, and some nine
//! hundred times while it takes the filter (it finds out beforehand which calls are always allowed): a tree makes both
//! short. Which calls are refused is `seccomp`'s.

use std::collections::BTreeMap;

use seccompiler::sock_filter;

/// Instructions of the classic BPF machine (linux/bpf_common.h).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// Where a call's number, its architecture and its first argument stand (`struct seccomp_data`, linux/seccomp.h). Both
/// architectures are little-endian: the low half of an argument comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;

/// What the processes of this program are to the kernel (linux/audit.h); other kinds, such as 32-bit ones, have other
/// numbers for their calls.
#[cfg(target_arch = "x86_64")]
const OURS: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const OURS: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OURS: Option<u32> = None;

/// So many calls are compared one after the other at the end of a branch.
const AT_A_LEAF: usize = 3;

/// What the kernel answers to a call that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This error number.
    Error(u16),
    /// The end of the process.
    Kill,
}

impl Answer {
    fn number(self) -> u32 {
        match self {
            Self::Error(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
            Self::Kill => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// A condition on the low 32 bits of an argument, which are all that the kernel takes of those that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The argument, from 0.
    pub(crate) argument: u8,
    /// The bits that are looked at.
    pub(crate) mask: u32,
    /// What they are compared with.
    pub(crate) value: u32,
    /// Whether they have to be equal, or different.
    pub(crate) equal: bool,
}

/// When a call is answered, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Any of these, of which each holds when all its conditions do; none at all: always.
    pub(crate) when: Vec<Vec<Condition>>,
    pub(crate) answer: Answer,
}

/// Rules by the numbers of their calls.
pub(crate) type Rules = BTreeMap<u32, Rule>;
type Program = Vec<sock_filter>;

/// The filter that these rules come to. Calls without a rule are allowed, those of another architecture end the process;
/// `None` where the numbers of this architecture are not known.
pub(crate) fn program(rules: &Rules) -> Option<Program> {
    let rules: Vec<_> = rules.iter().collect();
    let mut program = vec![
        load(ARCHITECTURE),
        branch(IF_EQUAL, OURS?, 1, 0),
        plain(RETURN, Answer::Kill.number()),
        load(NUMBER),
    ];
    program.extend(tree(&rules));
    Some(program)
}

fn tree(rules: &[(&u32, &Rule)]) -> Program {
    let (lower, upper) = rules.split_at(rules.len() / 2);
    let Some(((first, _), _)) = upper.split_first().filter(|_| rules.len() > AT_A_LEAF) else {
        return leaf(rules);
    };
    let (lower, upper) = (tree(lower), tree(upper));
    let mut program = vec![branch(IF_AT_LEAST, **first, 0, 1), over(&lower)];
    program.extend(lower);
    program.extend(upper);
    program
}

fn leaf(rules: &[(&u32, &Rule)]) -> Program {
    let mut program = Program::new();
    for (call, rule) in rules {
        let answer = answer(rule);
        program.extend([branch(IF_EQUAL, **call, 1, 0), over(&answer)]);
        program.extend(answer);
    }
    program.push(allow());
    program
}

/// What follows once the call is known. Always ends by an answer.
fn answer(rule: &Rule) -> Program {
    if rule.when.is_empty() {
        return vec![plain(RETURN, rule.answer.number())];
    }
    let mut program: Program = rule.when.iter().flat_map(|all| answer_when(all, rule.answer)).collect();
    program.push(allow());
    program
}

/// The answer if all conditions hold; else it goes on behind. Built from its end, since each condition jumps there.
fn answer_when(all: &[Condition], answer: Answer) -> Program {
    let mut rest = vec![plain(RETURN, answer.number())];
    for condition in all.iter().rev() {
        let (if_equal, if_not) = if condition.equal { (1, 0) } else { (0, 1) };
        let mut program = vec![load(ARGUMENTS + ARGUMENT_BYTES * u32::from(condition.argument))];
        program.push(plain(AND, condition.mask));
        program.extend([branch(IF_EQUAL, condition.value, if_equal, if_not), over(&rest)]);
        program.extend(rest);
        rest = program;
    }
    rest
}

fn load(offset: u32) -> sock_filter {
    plain(LOAD, offset)
}

fn allow() -> sock_filter {
    plain(RETURN, libc::SECCOMP_RET_ALLOW)
}

/// A jump over these instructions. One that is too far makes the kernel refuse the filter.
fn over(program: &[sock_filter]) -> sock_filter {
    plain(JUMP, u32::try_from(program.len()).unwrap_or(u32::MAX))
}

fn plain(code: u16, k: u32) -> sock_filter {
    branch(code, k, 0, 0)
}

/// A comparison that skips so many instructions when it holds, and so many when not.
fn branch(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// What the kernel's machine makes of a program, for tests: the answer to one call.
#[cfg(test)]
pub(crate) fn answered(program: &[sock_filter], architecture: u32, call: u32, arguments: [u64; 6]) -> u32 {
    let mut accumulator = 0;
    let mut next = 0;
    loop {
        let sock_filter { code, jt, jf, k } = program[next].clone();
        next += 1;
        let skip = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            LOAD if k == NUMBER => accumulator = call,
            LOAD if k == ARCHITECTURE => accumulator = architecture,
            LOAD => {
                let at = (k - ARGUMENTS) / 4;
                let halves = arguments[at as usize / 2].to_le_bytes();
                let half = if at.is_multiple_of(2) { halves.first_chunk() } else { halves.last_chunk() };
                accumulator = u32::from_le_bytes(*half.unwrap());
            }
            AND => accumulator &= k,
            JUMP => next += k as usize,
            IF_EQUAL => next += skip(accumulator == k),
            IF_AT_LEAST => next += skip(accumulator >= k),
            RETURN => return k,
            other => panic!("the machine of the tests has no instruction {other:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always(answer: Answer) -> Rule {
        Rule { when: Vec::new(), answer }
    }

    #[test]
    fn every_call_finds_its_own_rule_and_no_other_has_one() {
        for count in 0..40 {
            let rules: Rules = (0..count).map(|place| (place * 3 + 5, always(Answer::Error(7)))).collect();
            let program = program(&rules).unwrap();
            for call in (0..200).chain([u32::MAX]) {
                let expected = if rules.contains_key(&call) {
                    Answer::Error(7).number()
                } else {
                    libc::SECCOMP_RET_ALLOW
                };
                assert_eq!(answered(&program, OURS.unwrap(), call, [0; 6]), expected, "{count} {call}");
            }
        }
    }

    #[test]
    fn conditions_hold_together_and_their_groups_apart() {
        let is = |argument, value| Condition { argument, mask: u32::MAX, value, equal: true };
        let when = vec![
            vec![is(0, 1), is(1, 2)],
            vec![Condition { equal: false, ..is(2, 0) }, Condition { mask: 4, ..is(5, 4) }],
        ];
        let rules = Rules::from([(9, Rule { when, answer: Answer::Kill })]);
        let program = program(&rules).unwrap();
        for (arguments, refused) in [
            ([1, 2, 0, 0, 0, 0], true),
            ([1 | 1 << 32, 2, 0, 0, 0, 0], true),
            ([1, 3, 0, 0, 0, 0], false),
            ([0, 0, 1, 0, 0, 6], true),
            ([0, 0, 1, 0, 0, 3], false),
            ([0, 0, 0, 0, 0, 4], false),
        ] {
            let expected = if refused { Answer::Kill.number() } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(answered(&program, OURS.unwrap(), 9, arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn another_architecture_ends_the_process() {
        let program = program(&Rules::new()).unwrap();
        assert_eq!(answered(&program, 0x4000_0003, 1, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    }
}

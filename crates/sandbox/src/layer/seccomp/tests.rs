//! The filter beside the same lists written down for a compiler of filters, one list for each way to refuse: both answer
//! every call alike.

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::*;
use crate::layer::filter::answered;

const OURS: u32 = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };

/// How grave an answer is (seccomp(2)): of several filters' answers the gravest counts.
fn gravest(answers: impl Iterator<Item = u32>) -> u32 {
    let grave = |answer: &u32| match *answer & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_KILL_PROCESS => 2,
        libc::SECCOMP_RET_ERRNO => 1,
        libc::SECCOMP_RET_ALLOW => 0,
        other => panic!("nobody answers {other:#x}"),
    };
    answers.max_by_key(grave).unwrap()
}

#[test]
fn every_call_is_answered_as_the_lists_say() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut argument = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = random >> 33;
        match value % 6 {
            0 => value % 20,
            1 => 1 << (value % 64),
            2 => u64::from(TYPING[(value % 2) as usize]) | (value << 40),
            3 => [libc::MSG_FASTOPEN as u64, 2049, 0x80801, 6][(value >> 8) as usize % 4],
            4 => 0,
            _ => value,
        }
    };
    for network in [Network::None, Network::Ports(vec![443]), Network::Any] {
        let program = filter::program(&rules(&network)).unwrap();
        let reference = programs(&network).unwrap();
        let asked: Vec<_> = rules(&network).into_iter().filter(|(_, rule)| !rule.when.is_empty()).collect();
        for call in (0..1024).flat_map(|call| [call, call | 0x4000_0000]) {
            let looks_at_arguments = asked.iter().any(|(number, _)| *number == call);
            for _ in 0..if looks_at_arguments { 2_000 } else { 3 } {
                let arguments = std::array::from_fn(|_| argument());
                let expected =
                    gravest(reference.iter().map(|program| answered(program, OURS, call, arguments)));
                let given = answered(&program, OURS, call, arguments);
                assert_eq!(given, expected, "{network:?} {call:#x} {arguments:x?}");
            }
        }
        assert_eq!(answered(&program, OURS ^ 1, 0, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        assert!(program.len() < 2000, "{} instructions", program.len());
    }
}

#[test]
fn no_call_is_refused_in_two_ways() {
    let conditional = conditional(&Network::Ports(Vec::new()));
    for call in REFUSED.iter().chain(conditional.iter().map(|(call, _)| call)) {
        assert!(!FATAL.contains(call) && !UNKNOWN.contains(call), "{call}");
    }
    assert!(conditional.iter().all(|(call, _)| !REFUSED.contains(call)));
}

// The reference.

type ListedRules = BTreeMap<c_long, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

/// One filter for each way to refuse; the gravest answer of all filters counts (seccomp(2)).
fn programs(network: &Network) -> Built<Vec<BpfProgram>> {
    let mut refused = listed_whole(REFUSED);
    refused.extend(listed_conditional(network)?);
    let filters = [
        (refused, SeccompAction::Errno(libc::EPERM.unsigned_abs())),
        (listed_whole(FATAL), SeccompAction::KillProcess),
        (listed_whole(UNKNOWN), SeccompAction::Errno(libc::ENOSYS.unsigned_abs())),
    ];
    filters.into_iter().map(|(rules, answer)| listed_program(listed_with_x32(rules), answer)).collect()
}

fn listed_program(rules: ListedRules, answer: SeccompAction) -> Built<BpfProgram> {
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)?.try_into()
}

fn listed_whole(calls: &[c_long]) -> ListedRules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// The calls that are refused for some arguments.
fn listed_conditional(network: &Network) -> Built<ListedRules> {
    let mut rules = ListedRules::new();
    rules.insert(
        libc::SYS_clone,
        listed_each(NAMESPACE_FLAGS, |flag| listed_has_bit(0, flag.unsigned_abs().into()))?,
    );
    rules.insert(libc::SYS_ioctl, listed_each(TYPING, |request| listed_is(1, request.into()))?);
    match network {
        Network::None => {
            rules.insert(
                libc::SYS_socket,
                vec![SeccompRule::new(vec![listed_is_not(0, listed_family(libc::AF_UNIX))?])?],
            );
        }
        Network::Ports(_) => {
            rules.insert(libc::SYS_socket, listed_all_but_tcp()?);
            // A connection that is opened by its first data is one that Landlock isn't asked about.
            for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                let opens = listed_has_bit(argument, libc::MSG_FASTOPEN.unsigned_abs().into())?;
                rules.insert(call, vec![SeccompRule::new(vec![opens])?]);
            }
        }
        Network::Any => {}
    }
    Ok(rules)
}

/// Every socket but Unix ones and plain TCP: Landlock's ports hold for TCP, and for no other protocol over IP.
fn listed_all_but_tcp() -> Built<Vec<SeccompRule>> {
    let not_unix = || listed_is_not(0, listed_family(libc::AF_UNIX));
    let other_family = SeccompRule::new(vec![
        not_unix()?,
        listed_is_not(0, listed_family(libc::AF_INET))?,
        listed_is_not(0, listed_family(libc::AF_INET6))?,
    ])?;
    let other_protocol = SeccompRule::new(vec![
        not_unix()?,
        listed_is_not(2, listed_family(libc::IPPROTO_IP))?,
        listed_is_not(2, listed_family(libc::IPPROTO_TCP))?,
    ])?;
    let mut rules = vec![other_family, other_protocol];
    for kind in (0..=u64::from(TYPE_BITS)).filter(|&kind| kind != u64::from(STREAM)) {
        rules.push(SeccompRule::new(vec![
            not_unix()?,
            listed_condition(1, SeccompCmpOp::MaskedEq(TYPE_BITS.into()), kind)?,
        ])?);
    }
    Ok(rules)
}

fn listed_family(number: libc::c_int) -> u64 {
    number.unsigned_abs().into()
}

fn listed_each<T, const N: usize>(
    values: [T; N],
    condition: impl Fn(T) -> Built<SeccompCondition>,
) -> Built<Vec<SeccompRule>> {
    values.into_iter().map(|value| SeccompRule::new(vec![condition(value)?])).collect()
}

fn listed_is(argument: u8, value: u64) -> Built<SeccompCondition> {
    listed_condition(argument, SeccompCmpOp::Eq, value)
}

fn listed_is_not(argument: u8, value: u64) -> Built<SeccompCondition> {
    listed_condition(argument, SeccompCmpOp::Ne, value)
}

fn listed_has_bit(argument: u8, bit: u64) -> Built<SeccompCondition> {
    listed_condition(argument, SeccompCmpOp::MaskedEq(bit), bit)
}

/// The kernel takes these arguments as 32 bits, whatever stands above them.
fn listed_condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// The same calls as x32, and those that have a number of their own there.
#[cfg(target_arch = "x86_64")]
fn listed_with_x32(mut rules: ListedRules) -> ListedRules {
    // Which own number stands for which call does not matter: no program of that kind is served.
    let own = X32_OWN.map(|number| (c_long::from(number | X32), Vec::new()));
    let same: Vec<_> = rules.iter().map(|(call, rules)| (call | c_long::from(X32), rules.clone())).collect();
    rules.extend(same);
    rules.extend(own);
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn listed_with_x32(rules: ListedRules) -> ListedRules {
    rules
}

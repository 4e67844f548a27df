//! Seccomp: the system calls that are refused, compiled into filters that the kernel runs before each call. The lists are
//! in `system_calls`.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::confinement::{Confinement, Files, Layer, Network};
use crate::layer::Refusal;
use crate::layer::system_calls::{FATAL, NAMESPACE_FLAGS, REFUSED, TYPING, UNKNOWN};
#[cfg(target_arch = "x86_64")]
use crate::layer::system_calls::{X32, X32_OWN};
use crate::report::Layers;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

/// The bits of a socket's type that are not flags (SOCK_TYPE_MASK), and the one type that is TCP's.
const TYPE_BITS: u64 = 0xf;
const STREAM: u64 = 1;

/// Confines this process.
///
/// # Errors
/// When no network was granted and neither seccomp nor a network namespace withholds it.
pub(crate) fn apply(
    confinement: &Confinement,
    own_network: bool,
    layers: &mut Layers,
) -> Result<(), Refusal> {
    let applied = if !confinement.uses(Layer::Seccomp) {
        Err("switched off".to_owned())
    } else if confinement.files == Files::Any && confinement.network == Network::Any {
        Err("files and network are not confined".to_owned())
    } else {
        install(&confinement.network).map_err(|error| error.to_string())
    };
    let Err(reason) = applied else {
        layers.enforce("seccomp");
        return Ok(());
    };
    layers.lack("seccomp", &reason);
    let is_withheld = confinement.network == Network::Any || own_network;
    if is_withheld {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "the network can't be withheld: seccomp can't be used ({reason}) and there is no network namespace; grant the network, or use a kernel with either"
    )))
}

fn install(network: &Network) -> Result<(), seccompiler::Error> {
    for program in programs(network).map_err(seccompiler::Error::Backend)? {
        seccompiler::apply_filter(&program)?;
    }
    Ok(())
}

/// One filter for each way to refuse; the gravest answer of all filters counts (seccomp(2)).
fn programs(network: &Network) -> Built<Vec<BpfProgram>> {
    let mut refused = whole(REFUSED);
    refused.extend(conditional(network)?);
    let filters = [
        (refused, SeccompAction::Errno(libc::EPERM.unsigned_abs())),
        (whole(FATAL), SeccompAction::KillProcess),
        (whole(UNKNOWN), SeccompAction::Errno(libc::ENOSYS.unsigned_abs())),
    ];
    filters.into_iter().map(|(rules, answer)| program(with_x32(rules), answer)).collect()
}

fn program(rules: Rules, answer: SeccompAction) -> Built<BpfProgram> {
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)?.try_into()
}

fn whole(calls: &[c_long]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// The calls that are refused for some arguments.
fn conditional(network: &Network) -> Built<Rules> {
    let mut rules = Rules::new();
    rules.insert(libc::SYS_clone, each(NAMESPACE_FLAGS, |flag| has_bit(0, flag.unsigned_abs().into()))?);
    rules.insert(libc::SYS_ioctl, each(TYPING, |request| is(1, request.into()))?);
    match network {
        Network::None => {
            rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![is_not(0, family(libc::AF_UNIX))?])?]);
        }
        Network::Ports(_) => {
            rules.insert(libc::SYS_socket, all_but_tcp()?);
            // A connection that is opened by its first data is one that Landlock isn't asked about.
            for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                let opens = has_bit(argument, libc::MSG_FASTOPEN.unsigned_abs().into())?;
                rules.insert(call, vec![SeccompRule::new(vec![opens])?]);
            }
        }
        Network::Any => {}
    }
    Ok(rules)
}

/// Every socket but Unix ones and plain TCP: Landlock's ports hold for TCP, and for no other protocol over IP.
fn all_but_tcp() -> Built<Vec<SeccompRule>> {
    let not_unix = || is_not(0, family(libc::AF_UNIX));
    let other_family = SeccompRule::new(vec![
        not_unix()?,
        is_not(0, family(libc::AF_INET))?,
        is_not(0, family(libc::AF_INET6))?,
    ])?;
    let other_protocol = SeccompRule::new(vec![
        not_unix()?,
        is_not(2, family(libc::IPPROTO_IP))?,
        is_not(2, family(libc::IPPROTO_TCP))?,
    ])?;
    let mut rules = vec![other_family, other_protocol];
    for kind in (0..=TYPE_BITS).filter(|&kind| kind != STREAM) {
        rules.push(SeccompRule::new(vec![
            not_unix()?,
            condition(1, SeccompCmpOp::MaskedEq(TYPE_BITS), kind)?,
        ])?);
    }
    Ok(rules)
}

fn family(number: libc::c_int) -> u64 {
    number.unsigned_abs().into()
}

fn each<T, const N: usize>(
    values: [T; N],
    condition: impl Fn(T) -> Built<SeccompCondition>,
) -> Built<Vec<SeccompRule>> {
    values.into_iter().map(|value| SeccompRule::new(vec![condition(value)?])).collect()
}

fn is(argument: u8, value: u64) -> Built<SeccompCondition> {
    condition(argument, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u64) -> Built<SeccompCondition> {
    condition(argument, SeccompCmpOp::Ne, value)
}

fn has_bit(argument: u8, bit: u64) -> Built<SeccompCondition> {
    condition(argument, SeccompCmpOp::MaskedEq(bit), bit)
}

/// The kernel takes these arguments as 32 bits, whatever stands above them.
fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// The same calls as x32, and those that have a number of their own there.
#[cfg(target_arch = "x86_64")]
fn with_x32(mut rules: Rules) -> Rules {
    // Which own number stands for which call does not matter: no program of that kind is served.
    let own = X32_OWN.map(|number| (number | X32, Vec::new()));
    let same: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
    rules.extend(same);
    rules.extend(own);
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_compiles_into_filters() {
        for network in [Network::None, Network::Ports(vec![443]), Network::Any] {
            let programs = programs(&network).unwrap();
            assert_eq!(programs.len(), 3, "{network:?}");
            assert!(programs.iter().all(|program| program.len() < 1000), "{network:?}");
        }
    }

    #[test]
    fn no_call_is_refused_in_two_ways() {
        for call in REFUSED {
            assert!(!FATAL.contains(call) && !UNKNOWN.contains(call), "{call}");
        }
    }
}

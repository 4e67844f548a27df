//! Seccomp: the system calls that are refused, compiled into a filter that the kernel runs before each call. The lists are
//! in `system_calls`, and what a filter is made of in `filter`.

use std::collections::BTreeMap;

use libc::c_long;

use crate::confinement::{Confinement, Files, Layer, Network};
use crate::layer::Refusal;
use crate::layer::filter::{self, Answer, Condition, Rule, Rules};
use crate::layer::system_calls::{FATAL, NAMESPACE_FLAGS, REFUSED, TYPING, UNKNOWN};
#[cfg(target_arch = "x86_64")]
use crate::layer::system_calls::{X32, X32_OWN};
use crate::report::Layers;

/// When a call is refused: any of these, of which each holds when all its conditions do.
type When = Vec<Vec<Condition>>;

/// The bits of a socket's type that are not flags (SOCK_TYPE_MASK), and the one type that is TCP's.
const TYPE_BITS: u32 = 0xf;
const STREAM: u32 = 1;

/// EPERM and ENOSYS (asm-generic/errno-base.h, errno.h).
const NOT_PERMITTED: u16 = 1;
const NO_SUCH_CALL: u16 = 38;

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

fn install(network: &Network) -> Result<(), Failed> {
    let program = filter::program(&rules(network)).ok_or(Failed::Architecture)?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// Why there is no filter in force.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the system calls of this architecture are not known")]
    Architecture,
    #[error(transparent)]
    Kernel(#[from] seccompiler::Error),
}

/// What is refused, how and when. What ends a process comes last: where two rules are about one call, the graver holds.
fn rules(network: &Network) -> Rules {
    let refused = Answer::Error(NOT_PERMITTED);
    let mut rules = always(REFUSED, refused);
    rules.extend(conditional(network).into_iter().map(|(call, when)| (call, Rule { when, answer: refused })));
    rules.extend(always(UNKNOWN, Answer::Error(NO_SUCH_CALL)));
    rules.extend(always(FATAL, Answer::Kill));
    with_x32(rules.into_iter().filter_map(|(call, rule)| Some((u32::try_from(call).ok()?, rule))).collect())
}

fn always(calls: &[c_long], answer: Answer) -> BTreeMap<c_long, Rule> {
    calls.iter().map(|&call| (call, Rule { when: Vec::new(), answer })).collect()
}

/// The calls that are refused for some arguments.
fn conditional(network: &Network) -> Vec<(c_long, When)> {
    let mut rules = vec![
        (libc::SYS_clone, each(NAMESPACE_FLAGS, |flag| has_bit(0, flag.cast_unsigned()))),
        (libc::SYS_ioctl, each(TYPING, |request| is(1, request))),
    ];
    match network {
        Network::None => rules.push((libc::SYS_socket, vec![vec![is_not(0, family(libc::AF_UNIX))]])),
        Network::Ports(_) => {
            rules.push((libc::SYS_socket, all_but_tcp()));
            // A connection that is opened by its first data is one that Landlock isn't asked about.
            for (call, argument) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                rules.push((call, vec![vec![has_bit(argument, libc::MSG_FASTOPEN.cast_unsigned())]]));
            }
        }
        Network::Any => {}
    }
    rules
}

/// Every socket but Unix ones and plain TCP: Landlock's ports hold for TCP, and for no other protocol over IP.
fn all_but_tcp() -> When {
    let not_unix = is_not(0, family(libc::AF_UNIX));
    let other_family = vec![not_unix, is_not(0, family(libc::AF_INET)), is_not(0, family(libc::AF_INET6))];
    let other_protocol =
        vec![not_unix, is_not(2, family(libc::IPPROTO_IP)), is_not(2, family(libc::IPPROTO_TCP))];
    let other_kind = vec![not_unix, Condition { mask: TYPE_BITS, ..is_not(1, STREAM) }];
    vec![other_family, other_protocol, other_kind]
}

fn family(number: libc::c_int) -> u32 {
    number.cast_unsigned()
}

fn each<T, const N: usize>(values: [T; N], condition: impl Fn(T) -> Condition) -> When {
    values.into_iter().map(|value| vec![condition(value)]).collect()
}

fn is(argument: u8, value: u32) -> Condition {
    Condition { argument, mask: u32::MAX, value, equal: true }
}

fn is_not(argument: u8, value: u32) -> Condition {
    Condition { equal: false, ..is(argument, value) }
}

fn has_bit(argument: u8, bit: u32) -> Condition {
    Condition { mask: bit, ..is(argument, bit) }
}

/// The same calls as x32, and those that have a number of their own there: which of them stands for which call does not
/// matter, since no program of that kind is served.
#[cfg(target_arch = "x86_64")]
fn with_x32(mut rules: Rules) -> Rules {
    let same: Vec<_> = rules.iter().map(|(call, rule)| (call | X32, rule.clone())).collect();
    rules.extend(same);
    rules.extend(X32_OWN.map(|call| (call | X32, Rule { when: Vec::new(), answer: Answer::Kill })));
    rules
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(rules: Rules) -> Rules {
    rules
}

#[cfg(test)]
mod tests;

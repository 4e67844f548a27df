//! What the limiter promises.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn key(name: &str) -> RateKey {
    RateKey::new("key", name.as_bytes())
}

const fn requests(limit: u64) -> Rate {
    Rate { requests: Some(limit), tokens: None }
}

const fn tokens(limit: u64) -> Rate {
    Rate { requests: None, tokens: Some(limit) }
}

#[test]
fn the_first_of_a_full_minute_makes_room_when_it_is_a_minute_old() {
    let limiter = RateLimiter::new();
    for at in [0, 10_000, 20_000] {
        limiter.check(&key("a"), requests(3), 0, millis(at)).unwrap();
    }
    let limited = limiter.check(&key("a"), requests(3), 0, millis(30_000)).unwrap_err();
    assert_eq!(limited, Limited { retry_after: millis(30_000), what: What::Requests, limit: 3 });
    assert_eq!(limited.to_string(), "more than 3 requests in a minute; try again in 30 s");
    assert!(limiter.check(&key("a"), requests(3), 0, millis(59_999)).is_err());
    assert!(limiter.check(&key("a"), requests(3), 0, millis(60_000)).is_ok());
}

#[test]
fn keys_and_kinds_do_not_share() {
    let limiter = RateLimiter::new();
    for key in [RateKey::new("key", b"a"), RateKey::new("key", b"b"), RateKey::new("ke", b"ya")] {
        assert!(limiter.check(&key, requests(1), 0, millis(0)).is_ok());
        assert!(limiter.check(&key, requests(1), 0, millis(0)).is_err());
    }
}

#[test]
fn tokens_that_were_not_used_are_given_back() {
    let limiter = RateLimiter::new();
    limiter.check(&key("a"), tokens(100), 90, millis(0)).unwrap();
    assert_eq!(limiter.check(&key("a"), tokens(100), 20, millis(1)).unwrap_err().what, What::Tokens);
    limiter.adjust(&key("a"), 90, 30, millis(0));
    let remaining = limiter.check(&key("a"), tokens(100), 20, millis(2)).unwrap();
    assert_eq!(remaining.remaining_tokens, Some(50));
}

#[test]
fn giving_back_after_a_minute_takes_nothing_from_others() {
    let limiter = RateLimiter::new();
    limiter.check(&key("a"), tokens(100), 90, millis(0)).unwrap();
    limiter.check(&key("a"), tokens(100), 90, millis(60_000)).unwrap();
    limiter.adjust(&key("a"), 90, 0, millis(0));
    assert!(limiter.check(&key("a"), tokens(100), 20, millis(60_001)).is_err());
}

#[test]
fn more_tokens_than_a_minute_allows_are_never_admitted() {
    let limiter = RateLimiter::new();
    let limited = limiter.check(&key("a"), tokens(100), 101, millis(0)).unwrap_err();
    assert_eq!(limited.retry_after, MINUTE);
}

#[test]
fn idle_keys_make_room_and_busy_ones_do_not() {
    let limiter = RateLimiter::with_capacity(SHARDS);
    let (first, second) = two_keys_of_one_shard();
    limiter.check(&first, requests(5), 0, millis(0)).unwrap();
    assert!(limiter.check(&second, requests(5), 0, millis(59_000)).is_err());
    assert!(limiter.check(&first, requests(5), 0, millis(59_000)).is_ok());
    assert!(limiter.check(&second, requests(5), 0, millis(118_000)).is_err());
    assert!(limiter.check(&second, requests(5), 0, millis(119_000)).is_ok());
    assert_eq!(limiter.keys(), 1);
}

fn two_keys_of_one_shard() -> (RateKey, RateKey) {
    let first = key("first");
    let second =
        (0_u32..).map(|n| RateKey::new("key", &n.to_le_bytes())).find(|other| other.shard() == first.shard());
    (first, second.unwrap())
}

#[test]
fn one_key_from_many_threads_is_admitted_exactly_as_often_as_allowed() {
    let limiter = RateLimiter::new();
    let admitted: usize = std::thread::scope(|scope| {
        let count =
            || (0..200).filter(|n| limiter.check(&key("a"), requests(333), 0, millis(*n)).is_ok()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 333);
}

proptest! {
    #[test]
    fn no_sixty_seconds_hold_more_than_the_rate(
        limit in 1_u64..400,
        pauses in prop::collection::vec(prop_oneof![60 => 0_u64..250, 1 => 0_u64..20_000], 1..900),
    ) {
        let limiter = RateLimiter::new();
        let mut now = 0;
        let mut admitted = VecDeque::new();
        for pause in pauses {
            now += pause;
            if limiter.check(&key("a"), requests(limit), 0, millis(now)).is_ok() {
                admitted.push_back(now);
            }
            while admitted.front().is_some_and(|at| at + 60_000 <= now) {
                admitted.pop_front();
            }
            prop_assert!(admitted.len() as u64 <= limit);
        }
    }

    #[test]
    fn no_sixty_seconds_hold_more_tokens_than_the_rate(
        limit in 100_u64..400,
        calls in prop::collection::vec((0_u64..4_000, 1_u64..60, 0_u64..60), 1..300),
    ) {
        let limiter = RateLimiter::new();
        let mut now = 0;
        let mut used = Vec::new();
        for (pause, estimate, actual) in calls {
            now += pause;
            let in_the_last_minute: u64 =
                used.iter().filter(|(at, _)| at + 60_000 > now).map(|(_, tokens)| tokens).sum();
            if limiter.check(&key("a"), tokens(limit), estimate, millis(now)).is_ok() {
                prop_assert!(in_the_last_minute + estimate <= limit);
                let actual = actual.min(estimate);
                limiter.adjust(&key("a"), estimate, actual, millis(now));
                used.push((now, actual));
            }
        }
    }

    #[test]
    fn retry_after_is_right_to_the_second(
        limit in 1_u64..300,
        pauses in prop::collection::vec(0_u64..400, 1..600),
    ) {
        let limiter = RateLimiter::new();
        let mut now = 0;
        let mut admitted: Vec<u64> = Vec::new();
        for pause in pauses {
            now += pause;
            match limiter.check(&key("a"), requests(limit), 0, millis(now)) {
                Ok(_) => admitted.push(now),
                Err(limited) => {
                    let counted = admitted.iter().filter(|at| **at + 60_000 > now).count() as u64;
                    let exact = admitted[admitted.len() - usize::try_from(limit).unwrap()] + 60_000;
                    let told = now + u64::try_from(limited.retry_after.as_millis()).unwrap();
                    prop_assert!(counted <= limit);
                    prop_assert!(told >= exact.max(now) && told < exact.max(now) + 1_000, "{told} for {exact}");
                }
            }
        }
    }
}

//! Records survive being written, and nothing else passes for one.

use proptest::prelude::*;

use seawall_types::Usd;

use super::*;
use crate::limit::OnStoreDown;

fn amount() -> impl Strategy<Value = Amount> {
    (any::<u128>(), any::<u64>()).prop_map(|(picos, tokens)| Amount { usd: Usd::from_picos(picos), tokens })
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_micros)
}

fn hold() -> impl Strategy<Value = HoldId> {
    any::<[u8; 16]>().prop_map(HoldId::from_bytes)
}

fn window() -> impl Strategy<Value = Window> {
    prop::sample::select(vec![Window::Total, Window::Minute, Window::Day, Window::Month])
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Global),
        "\\PC{1,40}".prop_map(|name| Scope::Key(name.into())),
        "\\PC{1,40}".prop_map(|name| Scope::Tenant(name.into())),
        any::<[u8; 16]>().prop_map(|bytes| Scope::Run(RunId::from_bytes(bytes))),
    ]
}

fn limit() -> impl Strategy<Value = Limit> {
    let figures = (any::<Option<u128>>(), any::<Option<u64>>(), any::<bool>());
    (scope(), window(), figures).prop_map(|(scope, window, (picos, tokens, open))| Limit {
        scope,
        window,
        usd: picos.map(Usd::from_picos),
        tokens,
        on_store_down: if open { OnStoreDown::Open } else { OnStoreDown::Closed },
    })
}

fn reserve() -> impl Strategy<Value = Record> {
    let names = (hold(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let scopes = prop::collection::vec(any::<u32>().prop_map(ScopeId), 0..6);
    (names, amount(), time(), time(), scopes).prop_map(
        |((hold, run, action), amount, deadline, at, scopes)| {
            let (run, action) = (RunId::from_bytes(run), ActionId::from_bytes(action));
            Record::Reserve { hold, run, action, amount, deadline, at, scopes: scopes.into() }
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (any::<u32>(), any::<u64>()).prop_map(|(format, segment)| Record::Begin { format, segment }),
        (any::<u32>(), scope()).prop_map(|(id, scope)| Record::Name { id: ScopeId(id), scope }),
        reserve(),
        (hold(), amount(), time()).prop_map(|(hold, actual, at)| Record::Settle { hold, actual, at }),
        (hold(), time()).prop_map(|(hold, at)| Record::Sweep { hold, at }),
        (limit(), time()).prop_map(|(limit, at)| Record::SetLimit { limit, at }),
        (scope(), window()).prop_map(|(scope, window)| Record::RemoveLimit { scope, window }),
        (scope(), prop::option::of(window()), time()).prop_map(|(scope, window, at)| Record::Reset {
            scope,
            window,
            at
        }),
    ]
}

fn decode(bytes: &[u8]) -> (Vec<Record>, bool, u64) {
    let mut decoder = Decoder::new(bytes);
    let mut records = Vec::new();
    loop {
        match decoder.next().unwrap() {
            Next::Record(record) => records.push(record),
            Next::End => return (records, false, decoder.good),
            Next::Torn => return (records, true, decoder.good),
        }
    }
}

proptest! {
    #[test]
    fn records_are_read_back_as_they_were_written(records in prop::collection::vec(record(), 0..8)) {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| Encoder(&mut bytes).push(record));
        prop_assert_eq!(decode(&bytes), (records, false, bytes.len() as u64));
    }

    #[test]
    fn a_changed_byte_ends_the_reading_before_its_record(
        records in prop::collection::vec(record(), 1..5),
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for record in &records {
            Encoder(&mut bytes).push(record);
            ends.push(bytes.len());
        }
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        let intact = ends.iter().filter(|end| **end <= place).count();
        let (read, torn, _) = decode(&bytes);
        prop_assert!(torn);
        prop_assert_eq!(&read[..], &records[..intact]);
    }

    #[test]
    fn zeros_are_the_end_unless_something_follows(
        records in prop::collection::vec(record(), 0..4),
        zeros in 0..2 * LONGEST,
        behind in 1_u8..,
    ) {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| Encoder(&mut bytes).push(record));
        let good = bytes.len() as u64;
        bytes.resize(bytes.len() + zeros, 0);
        prop_assert_eq!(decode(&bytes), (records.clone(), false, good));
        bytes.push(behind);
        prop_assert_eq!(decode(&bytes), (records, true, good));
    }

    #[test]
    fn foreign_bytes_are_no_records(mut bytes in prop::collection::vec(any::<u8>(), 0..200), end in 1_u8..) {
        bytes.push(end);
        let (records, torn, good) = decode(&bytes);
        prop_assert_eq!((records.len(), torn, good), (0, true, 0));
    }
}

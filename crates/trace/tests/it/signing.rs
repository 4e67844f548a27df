//! Signed heads: what holds, and what does not whichever bit was changed.

use std::sync::Arc;

use seawall_trace::recover::recover;
use seawall_trace::sign::{PublicKey, SignKey, SignatureState, SigningHeads};
use seawall_trace::{Head, Heads, MemoryHeads, Options, Writer};
use seawall_types::{Clock, RunId};

use crate::stage::{Stage, run, stage};

fn key(seed: u8) -> Arc<SignKey> {
    Arc::new(SignKey::parse(&SignKey::pem(&[seed; 32])).unwrap())
}

/// Writes a run of some lines whose heads are signed.
fn write(stage: &Stage, run: RunId, finish: bool) {
    let heads = SigningHeads::new(Arc::clone(&stage.heads) as Arc<dyn Heads>, key(1));
    let clock = Arc::clone(&stage.clock) as Arc<dyn Clock>;
    let (writer, handle) =
        Writer::start(Options::new(stage.dir().to_owned()), Arc::new(heads), clock).unwrap();
    handle.start_run(run, "test", &());
    handle.flush().unwrap();
    if finish {
        handle.finish_run(run, &());
    }
    assert_eq!(writer.stop().head_failures, 0);
}

fn head(stage: &Stage) -> Head {
    stage.heads.head(run(1)).unwrap().unwrap()
}

fn state(public: PublicKey, head: &Head) -> SignatureState {
    public.check(Some(head))
}

#[test]
fn every_head_that_is_kept_is_signed() {
    for finish in [false, true] {
        let stage = stage();
        write(&stage, run(1), finish);
        assert_eq!(head(&stage).seq, u64::from(finish));
        assert_eq!(state(key(1).public(), &head(&stage)), SignatureState::Holds);
        assert!(stage.verify(run(1)).ok);
    }
}

#[test]
fn any_flipped_bit_breaks_the_signature() {
    let stage = stage();
    write(&stage, run(1), true);
    let (good, public) = (head(&stage), key(1).public());
    let signature = good.signature.unwrap();
    for bit in 0..64 * 8 {
        let mut changed = signature;
        changed[bit / 8] ^= 1 << (bit % 8);
        let head = Head { signature: Some(changed), ..good };
        assert_eq!(state(public, &head), SignatureState::Wrong, "bit {bit} of the signature");
    }
    for bit in 0..32 * 8 {
        let mut hash = good.hash;
        hash[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(state(public, &Head { hash, ..good }), SignatureState::Wrong, "bit {bit} of the hash");
    }
    for bit in 0..64 {
        let seq = good.seq ^ (1 << bit);
        assert_eq!(state(public, &Head { seq, ..good }), SignatureState::Wrong, "bit {bit} of the number");
    }
    assert_eq!(state(public, &Head { run: run(2), ..good }), SignatureState::Wrong);
}

#[test]
fn another_key_does_not_hold_and_no_signature_is_none() {
    let stage = stage();
    write(&stage, run(1), true);
    assert_eq!(state(key(2).public(), &head(&stage)), SignatureState::Wrong);
    assert_eq!(state(key(1).public(), &Head { signature: None, ..head(&stage) }), SignatureState::Missing);
    assert_eq!(key(1).public().check(None), SignatureState::Missing);
}

/// What the store has of a run when its process has died.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Untouched,
    WithoutSignature,
    WithoutHead,
}

#[test]
fn a_crashed_run_is_closed_and_signed_and_one_whose_head_was_touched_is_not() {
    for (stored, expected) in [
        (Stored::Untouched, SignatureState::Holds),
        (Stored::WithoutSignature, SignatureState::Missing),
        (Stored::WithoutHead, SignatureState::Missing),
    ] {
        let stage = stage();
        write(&stage, run(1), false);
        let (row, good) = (stage.row(run(1)), head(&stage));
        let heads = Arc::new(MemoryHeads::default());
        heads.started(&row).unwrap();
        match stored {
            Stored::Untouched => heads.heads(&[good]).unwrap(),
            Stored::WithoutSignature => heads.heads(&[Head { signature: None, ..good }]).unwrap(),
            Stored::WithoutHead => {}
        }
        let signing = SigningHeads::new(Arc::clone(&heads) as Arc<dyn Heads>, key(1));
        recover(stage.dir(), &signing, &*stage.clock).unwrap();
        let closed = heads.head(run(1)).unwrap().unwrap();
        assert_eq!((closed.seq, state(key(1).public(), &closed)), (1, expected), "{stored:?}");
    }
}

//! Guards: what was taken once is refused ever after, whatever comes, in whatever order, across
//! restarts and with a clock that goes back; a snapshot that is restored is the same guard.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tau_kamn::{
    guard::{Delivery, Guard, GuardStore, Limits, Order, WindowSize},
    jcs,
};

const LIMITS: Limits = Limits {
    senders: 3,
    lanes_per_sender: 2,
    ids_per_sender: 8,
};
const MINUTE_MS: u64 = 60_000;

fn restored(guard: &Guard) -> Guard {
    let text = guard.snapshot().expect("times are small").to_canonical();
    let value = jcs::parse(text.as_bytes(), 1 << 20).expect("it is canonical");
    Guard::restore(value, LIMITS).expect("it came about")
}

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = jcs::parse(data, 4096) {
        let mut guard = Guard::new(Order::Strict, LIMITS);
        let _ = guard.replay(value.clone());
        if let Ok(guard) = Guard::restore(value, LIMITS) {
            assert_eq!(restored(&guard), guard);
        }
    }
    let Some((kind, steps)) = data.split_first() else {
        return;
    };
    let order = match WindowSize::new(64 * usize::from(kind & 3)) {
        Some(size) => Order::Window(size),
        None => Order::Strict,
    };
    let mut guard = Guard::new(order, LIMITS);
    let mut taken = Vec::new();
    let mut now_ms: u64 = 1000 * MINUTE_MS;
    for step in steps.chunks_exact(4) {
        let [who, number, life, pause] = [step[0], step[1], step[2], step[3]].map(u64::from);
        if pause & 1 == 1 {
            guard = restored(&guard);
        }
        now_ms = match pause & 2 {
            0 => now_ms + (pause >> 2) * MINUTE_MS,
            _ => now_ms.saturating_sub((pause >> 2) * MINUTE_MS),
        };
        let delivery = Delivery {
            message_id: format!("{}", number >> 2),
            sender: format!("sender {}", who & 3),
            lane: format!("lane {}", who >> 2 & 3),
            nonce: number,
            created_ms: now_ms,
            expires_ms: now_ms + life * MINUTE_MS,
        };
        let before = taken.contains(&delivery);
        if guard.admit(&delivery, now_ms).is_ok() {
            assert!(!before, "{delivery:?}");
            taken.push(delivery);
        }
        let (senders, lanes, ids) = guard.remembered();
        assert!(senders <= 3 && lanes <= 6 && ids <= 24);
    }
    for old in &taken {
        for ms in [old.created_ms, old.expires_ms, now_ms] {
            assert!(guard.admit(old, ms).is_err(), "{old:?}");
        }
    }
});
